/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/ovsdb.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

/* libvirt gives ovs-vsctl as long. */
enum { WAIT_S = 5, POLL_MS = 5, REPLY_MAX_BYTES = 4 * 1024 * 1024, PIECE_BYTES = 512 };

static void json_free(json_t *json)
{
	json_decref(json);
}
ND_DEFINE_AUTO(json_t *, json_free)

/* ---- the socket ---- */

/* Messages follow each other without a mark between them, and one read may bring more than one. */
struct ovsdb {
	int fd;
	unsigned serial;
	size_t n_read;			/* bytes that the reader of the message in hand was given */
	uint8_t piece[PIECE_BYTES];	/* the last of them; between messages: what is of the next one */
	size_t n_piece;
};

static void ovsdb_close(struct ovsdb *db)
{
	if (db->fd >= 0)
		close(db->fd);
}

static int ovsdb_open(struct ovsdb *db, const char *path, struct nd_error *err)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int r;

	*db = (struct ovsdb){ .fd = -1 };
	if (strlen(path) >= sizeof(to.sun_path))
		return nd_error_sys(err, ENAMETOOLONG, "Open vSwitch's socket '%s'", path);
	strcpy(to.sun_path, path);
	db->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (db->fd >= 0 && setsockopt(db->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	    setsockopt(db->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    connect(db->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	r = nd_error_sys(err, errno, "cannot connect to Open vSwitch's database '%s'", path);
	ovsdb_close(db);
	return r;
}

/* jansson asks for 1024 bytes at a time. */
static size_t read_some(void *buffer, size_t size, void *arg)
{
	struct ovsdb *db = arg;
	bool kept = db->n_read == 0 && db->n_piece;
	ssize_t n = (ssize_t)db->n_piece;

	if (size < sizeof(db->piece) || db->n_read > REPLY_MAX_BYTES)
		return (size_t)-1;
	if (!kept)
		n = recv(db->fd, db->piece, sizeof(db->piece), 0);
	if (n <= 0)
		return (size_t)-1;
	memcpy(buffer, db->piece, (size_t)n);
	db->n_piece = (size_t)n;
	db->n_read += (size_t)n;
	return (size_t)n;
}

/* The next message, the caller's; NULL: there is none that can be read. */
static json_t *receive(struct ovsdb *db)
{
	json_error_t end;
	json_t *message;
	size_t left;

	db->n_read = 0;
	message = json_load_callback(read_some, db, JSON_DISABLE_EOF_CHECK, &end);
	left = db->n_read - (size_t)end.position;
	/* Behind a bare number the reader looks ahead, maybe into a character that two reads brought: no answer. */
	if (!message || left > db->n_piece) {
		json_decref(message);
		db->n_piece = 0;	/* not to be read a second time as the next answer */
		return NULL;
	}
	memmove(db->piece, db->piece + db->n_piece - left, left);
	db->n_piece = left;
	return message;
}

static int send_text(struct ovsdb *db, const char *text, struct nd_error *err)
{
	size_t len = strlen(text), sent = 0;

	while (sent < len) {
		ssize_t n = send(db->fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nd_error_sys(err, errno, "cannot write to Open vSwitch's database");
		sent += (size_t)n;
	}
	return 0;
}

/* The first object of an operation's result that says what is wrong; NULL: all is well. */
static const char *error_of(const json_t *results)
{
	const json_t *item;
	size_t i;

	json_array_foreach(results, i, item) {
		const char *error = json_string_value(json_object_get(item, "error"));
		const char *details = json_string_value(json_object_get(item, "details"));

		if (error)
			return details ? details : error;
	}
	return NULL;
}

/* Does operations (taken; NULL is "out of memory") as one transaction; the caller frees results_out. */
static int transact(struct ovsdb *db, json_t *operations, json_t **results_out, struct nd_error *err)
{
	ND_AUTO(json_free) json_t *request = json_pack("{s:s, s:o, s:i}", "method", "transact", "params",
						       operations, "id", (int)++db->serial);
	ND_AUTO(json_free) json_t *reply = NULL;
	ND_AUTO(free) char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	const json_t *results;
	int r = text ? send_text(db, text, err) : nd_error_nomem(err);

	if (r < 0)
		return r;
	do {	/* what has a method is the server's question whether anybody is there */
		json_free(reply);
		reply = receive(db);
	} while (json_is_object(reply) && json_object_get(reply, "method"));
	results = json_object_get(reply, "result");
	if (!json_is_array(results))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "Open vSwitch's database does not answer");
	if (error_of(results))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "Open vSwitch's database: %.300s",
				    error_of(results));
	*results_out = json_incref((json_t *)results);
	return 0;
}

/* The rows that the nth operation, a select, found. */
static const json_t *rows_of(const json_t *results, size_t n)
{
	return json_object_get(json_array_get(results, n), "rows");
}

/* ---- ports ---- */

/* The bridges drop the port (a ["uuid", ...] that stays the caller's); the database then forgets it. */
static json_t *drop_operation(json_t *port)
{
	return json_pack("{s:s, s:s, s:[[s,s,O]], s:[[s,s,O]]}", "op", "mutate", "table", "Bridge", "where",
			 "ports", "includes", port, "mutations", "ports", "delete", port);
}

/* Counts the configuration on, which is what Open vSwitch's daemon waits for. */
static json_t *next_operation(void)
{
	return json_pack("{s:s, s:s, s:[], s:[[s,s,i]]}", "op", "mutate", "table", "Open_vSwitch", "where",
			 "mutations", "next_cfg", "+=", 1);
}

static json_t *next_select(void)
{
	return json_pack("{s:s, s:s, s:[], s:[s,s]}", "op", "select", "table", "Open_vSwitch", "where",
			 "columns", "next_cfg", "cur_cfg");
}

/* Operations, each taken, as a transaction's parameters. */
static json_t *parameters(json_t *const *operations, size_t n)
{
	json_t *all = json_pack("[s]", "Open_vSwitch");

	for (size_t i = 0; i < n; i++)
		if (!all || !operations[i] || json_array_append_new(all, operations[i]) < 0) {
			json_decref(all);
			return NULL;
		}
	return all;
}

static int drop_port(struct ovsdb *db, const char *ifname, struct nd_error *err)
{
	ND_AUTO(json_free) json_t *found = NULL, *done = NULL;
	json_t *select = json_pack("{s:s, s:s, s:[[s,s,s]], s:[s]}", "op", "select", "table", "Port", "where",
				   "name", "==", ifname, "columns", "_uuid");
	json_t *port;
	int r = transact(db, parameters(&select, 1), &found, err);

	if (r < 0)
		return r;
	port = json_object_get(json_array_get(rows_of(found, 0), 0), "_uuid");
	if (!port)
		return 0;
	return transact(db, parameters((json_t *[]){ drop_operation(port), next_operation() }, 2), &done, err);
}

static json_t *interface_row(const struct ovs_port *p)
{
	char mac[ND_MAC_STRLEN], vm[ND_UUID_STRLEN], iface[ND_UUID_STRLEN];
	json_t *row = json_pack("{s:s, s:[s, [[s,s], [s,s], [s,s], [s,s]]]}", "name", p->ifname, "external_ids",
				"map", "attached-mac", nd_mac_format(&p->mac, mac),
				"iface-id", nd_uuid_format(&p->iface_id, iface),
				"vm-id", nd_uuid_format(&p->vm_id, vm), "iface-status", "active");
	json_t *ids = row ? json_array_get(json_object_get(row, "external_ids"), 1) : NULL;

	if (ids && p->profile)
		(void)json_array_append_new(ids, json_pack("[s,s]", "port-profile", p->profile));
	return row;
}

static json_t *port_row(const struct ovs_port *p)
{
	json_t *row = json_pack("{s:s, s:[s,s]}", "name", p->ifname, "interfaces", "named-uuid", "iface");
	json_t *trunks = p->n_trunks ? json_array() : NULL;

	for (size_t i = 0; trunks && i < p->n_trunks; i++)
		(void)json_array_append_new(trunks, json_integer(p->trunks[i]));
	if (row && p->tag)
		(void)json_object_set_new(row, "tag", json_integer(p->tag));
	if (row && trunks) {
		(void)json_object_set_new(row, "trunks", json_pack("[s,o]", "set", trunks));
		(void)json_object_set_new(row, "vlan_mode", json_string(
			!p->tag ? "trunk" : p->native_tagged ? "native-tagged" : "native-untagged"));
	}
	return row;
}

static json_t *insert_operation(const char *table, const char *name, json_t *row)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "op", "insert", "table", table, "uuid-name", name, "row", row);
}

static int insert_port(struct ovsdb *db, const struct ovs_port *p, json_t **results_out, struct nd_error *err)
{
	json_t *operations[] = {
		insert_operation("Interface", "iface", interface_row(p)),
		insert_operation("Port", "port", port_row(p)),
		json_pack("{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,[[s,s]]]]]}", "op", "mutate", "table", "Bridge",
			  "where", "name", "==", p->bridge, "mutations", "ports", "insert", "set",
			  "named-uuid", "port"),
		next_operation(), next_select(),
	};
	int r = transact(db, parameters(operations, ND_COUNT(operations)), results_out, err);

	if (r == 0 && json_integer_value(json_object_get(json_array_get(*results_out, 2), "count")) != 1)
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no Open vSwitch bridge '%s'", p->bridge);
	return r;
}

/* What the daemon says of the interface: 1 it is attached, 0 nothing yet. */
static int look_at(struct ovsdb *db, const struct ovs_port *p, json_int_t wanted_cfg, struct nd_error *err)
{
	ND_AUTO(json_free) json_t *results = NULL;
	json_t *operations[] = {
		next_select(),
		json_pack("{s:s, s:s, s:[[s,s,s]], s:[s]}", "op", "select", "table", "Interface", "where",
			  "name", "==", p->ifname, "columns", "error"),
	};
	const json_t *now, *error;
	int r = transact(db, parameters(operations, ND_COUNT(operations)), &results, err);

	if (r < 0)
		return r;
	now = json_object_get(json_array_get(rows_of(results, 0), 0), "cur_cfg");
	error = json_object_get(json_array_get(rows_of(results, 1), 0), "error");
	if (json_is_string(error) && *json_string_value(error))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "Open vSwitch does not take '%s': %.300s",
				    p->ifname, json_string_value(error));
	return json_integer_value(now) >= wanted_cfg;
}

static int wait_for_daemon(struct ovsdb *db, const struct ovs_port *p, const json_t *inserted,
			   struct nd_error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	json_int_t wanted = json_integer_value(
		json_object_get(json_array_get(rows_of(inserted, 4), 0), "next_cfg"));
	int r = 0;

	for (int waited_ms = 0; r == 0 && waited_ms < WAIT_S * 1000; waited_ms += POLL_MS) {
		nanosleep(&pause, NULL);
		r = look_at(db, p, wanted, err);
	}
	return r < 0 ? r : r > 0 ? 0 :
		nd_error_set(err, ND_ERR_OPERATION_FAILED, "Open vSwitch has not taken '%s' within %d s: does "
			     "ovs-vswitchd run?", p->ifname, WAIT_S);
}

int ovsdb_port_add(const char *path, const struct ovs_port *port, struct nd_error *err)
{
	ND_AUTO(json_free) json_t *inserted = NULL;
	struct ovsdb db;
	int r = ovsdb_open(&db, path, err);

	if (r < 0)
		return r;
	r = drop_port(&db, port->ifname, err);
	if (r == 0)
		r = insert_port(&db, port, &inserted, err);
	if (r == 0) {
		r = wait_for_daemon(&db, port, inserted, err);
		if (r < 0)
			(void)drop_port(&db, port->ifname, NULL);	/* the error in hand says more */
	}
	ovsdb_close(&db);
	return r;
}

static int remove_all(struct ovsdb *db, const struct nd_uuid *vm_id,
		      bool (*keep)(void *arg, const char *ifname), void *arg, struct nd_error *err)
{
	ND_AUTO(json_free) json_t *found = NULL;
	char vm[ND_UUID_STRLEN];
	json_t *select = json_pack("{s:s, s:s, s:[[s,s,[s,[[s,s]]]]], s:[s]}", "op", "select", "table",
				   "Interface", "where", "external_ids", "includes", "map", "vm-id",
				   nd_uuid_format(vm_id, vm), "columns", "name");
	const json_t *row;
	size_t i;
	int r = transact(db, parameters(&select, 1), &found, err);

	if (r < 0)
		return r;
	json_array_foreach(rows_of(found, 0), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name && !(keep && keep(arg, name)) && (r = drop_port(db, name, err)) < 0)
			return r;
	}
	return 0;
}

int ovsdb_ports_remove(const char *path, const struct nd_uuid *vm_id,
		       bool (*keep)(void *arg, const char *ifname), void *arg, struct nd_error *err)
{
	struct ovsdb db;
	int r = ovsdb_open(&db, path, err);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return 0;
	if (r < 0)
		return r;
	r = remove_all(&db, vm_id, keep, arg, err);
	ovsdb_close(&db);
	return r;
}
