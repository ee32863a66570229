/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp_history.c -- many DHCP clients on one interface, and a witness that trusts no server
 *
 *	dhcp_history IFNAME SECONDS FIRST LAST CLIENTS SEED
 *
 * The clients (each a MAC of its own, some with one client-id among them, some changing theirs)
 * discover, request, renew, reboot, release, decline and fall silent at random. The pool FIRST to
 * LAST may be smaller than they are many; whoever likes may kill the server meanwhile. Judged from
 * the wire alone:
 *	- no address is acknowledged to a client while another one's lease of it runs
 *	- no client whose lease runs is refused its address or offered another one
 * In the end the clients fall silent, and when the last lease is over as many new ones ask as the
 * pool has addresses: half of them at least must get one (the server keeps some for plugged guests).
 * Prints what it saw; exits 1 at the first contradiction.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/dhcp4_peer.h"

#define CLIENTS_MAX 2000
#define ANSWER_MS 1500			/* a client waits this long */
#define STEP_MS 2			/* one client does something */
#define POOL_MAX 256
#define QUOTA_FROM_SIZE 16		/* of a larger pool, MACs that nobody plugged get three quarters */
#define DECLINE_SELDOM 16		/* more of them, and in a long run most of the pool rests */
#define DECLINED_REST_MS 600000		/* netd's: nobody gets the address before */

struct client {
	struct nd_mac mac;
	struct in_addr server, offered, leased;	/* 0.0.0.0: none */
	uint64_t until_ms;		/* of its lease, counted from its request */
	uint32_t xid;
	uint8_t asked;			/* message type that waits for an answer, 0: none */
	struct in_addr asked_for;
	uint64_t asked_ms;
	unsigned identity;
};

static struct client clients[CLIENTS_MAX];
static unsigned n_clients, n_acks, n_naks, n_offers, n_releases, n_declines, n_expired, n_silent;
static struct in_addr first, last;
static uint64_t declined_ms[POOL_MAX];	/* when the address was last declined, by its place in the pool */
static uint64_t latest_until_ms;	/* the end of the lease that runs longest */
static int fd;

static void decline_note(struct in_addr address, uint64_t now)
{
	uint32_t place = ntohl(address.s_addr) - ntohl(first.s_addr);

	if (place < POOL_MAX)
		declined_ms[place] = now;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void open_socket(const char *ifname)
{
	static struct sock_filter to_clients[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, PEER_FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog filter = { 4, to_clients };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0800),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	int room = 4 << 20;

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		fprintf(stderr, "dhcp_history: %s: %s\n", ifname, strerror(errno));
		exit(2);
	}
}

/* --- the witness --- */

static _Noreturn void contradict(const struct client *c, const char *what, struct in_addr address,
				 const struct client *other)
{
	char mac[ND_MAC_STRLEN], theirs[ND_MAC_STRLEN] = "nobody";

	if (other)
		nd_mac_format(&other->mac, theirs);
	printf("CONTRADICTION: %s: %s %s (lease of %s runs %lld ms more)\n",
	       nd_mac_format(&c->mac, mac), what, inet_ntoa(address), theirs,
	       (long long)((other ? other : c)->until_ms - now_ms()));
	exit(1);
}

static bool holds(const struct client *c, uint64_t now)
{
	return c->leased.s_addr && c->until_ms > now;
}

static void on_ack(struct client *c, const struct peer_reply *r, uint64_t now)
{
	uint64_t until = c->asked_ms + (uint64_t)peer_u32(r, 51) * 1000;

	if (!r->yiaddr.s_addr || until <= now)
		return;
	n_acks++;
	for (unsigned i = 0; i < n_clients; i++)
		if (&clients[i] != c && clients[i].leased.s_addr == r->yiaddr.s_addr &&
		    holds(&clients[i], now))
			contradict(c, "was acknowledged", r->yiaddr, &clients[i]);
	c->leased = r->yiaddr;
	c->until_ms = until;
	if (until > latest_until_ms)
		latest_until_ms = until;
}

static void on_nak(struct client *c, uint64_t now)
{
	n_naks++;
	if (holds(c, now) && c->asked_for.s_addr == c->leased.s_addr)
		contradict(c, "was refused its own", c->leased, NULL);
}

static void on_offer(struct client *c, const struct peer_reply *r, uint64_t now)
{
	n_offers++;
	/* A margin: what is about to end may have ended on the way. */
	if (holds(c, now + 1000) && r->yiaddr.s_addr != c->leased.s_addr)
		contradict(c, "holds an address and was offered", r->yiaddr, NULL);
	c->offered = r->yiaddr;
	memcpy(&c->server, r->option[54], 4);
}

static void on_frame(const uint8_t *frame, size_t len, uint64_t now)
{
	struct client *c;
	struct peer_reply r;
	unsigned n;
	uint32_t xid;

	peer_read(&r, frame, len);
	if (!r.len || r.frame[42] != 2)
		return;
	n = (unsigned)r.frame[42 + 28 + 4] << 8 | r.frame[42 + 28 + 5];
	memcpy(&xid, r.frame + 46, 4);
	c = n < n_clients ? &clients[n] : NULL;
	if (!c || !c->asked || c->xid != xid || !r.option[54])
		return;
	if (!r.sums_right)
		contradict(c, "got wrong checksums for", r.yiaddr, NULL);
	if (r.type == 5)
		on_ack(c, &r, now);
	else if (r.type == 6 && c->asked == 3)
		on_nak(c, now);
	else if (r.type == 2 && c->asked == 1)
		on_offer(c, &r, now);
	else
		return;
	c->asked = 0;
}

/* --- the clients --- */

static struct in_addr any_address(void)
{
	uint32_t span = ntohl(last.s_addr) - ntohl(first.s_addr) + 1;

	return (struct in_addr){ htonl(ntohl(first.s_addr) + (uint32_t)rand() % span) };
}

static void begin(struct client *c, struct peer_request *r, uint8_t type)
{
	char id[16];

	peer_begin(r, c->mac, type);
	c->xid = (uint32_t)rand();
	memcpy(peer_dhcp(r) + 4, &c->xid, 4);
	c->asked = type;
	c->asked_ms = now_ms();
	c->asked_for.s_addr = 0;
	if (rand() % 200 == 0)
		c->identity++;
	/* every third client is a clone of others */
	snprintf(id, sizeof(id), "\x01%u", c->identity % 3 == 0 ? 0 : c->identity);
	peer_option_text(r, 61, id);
	if (rand() % 3 == 0) {
		snprintf(id, sizeof(id), "guest%u", (unsigned)rand() % 50);
		peer_option_text(r, 12, id);
	}
}

static void transmit(struct peer_request *r)
{
	peer_finish(r);
	(void)!send(fd, r->frame, r->len, 0);	/* lost: so are others */
}

static void send_discover(struct client *c)
{
	struct peer_request r;

	begin(c, &r, 1);
	if (rand() % 4 == 0)
		peer_option_ip(&r, 50, any_address());
	if (rand() % 10 == 0)
		peer_option(&r, 80, "", 0);
	transmit(&r);
}

static void send_request(struct client *c)
{
	struct peer_request r;

	begin(c, &r, 3);
	c->asked_for = c->offered;
	peer_option_ip(&r, 54, c->server);
	peer_option_ip(&r, 50, c->offered);
	c->offered.s_addr = 0;
	transmit(&r);
}

/* RENEWING, REBINDING or INIT-REBOOT; now and then for an address that is not its own. */
static void send_claim(struct client *c)
{
	struct peer_request r;

	begin(c, &r, 3);
	c->asked_for = rand() % 10 && c->leased.s_addr ? c->leased : any_address();
	if (rand() % 2)
		peer_set_ip(&r, PEER_CIADDR, c->asked_for);
	else
		peer_option_ip(&r, 50, c->asked_for);
	transmit(&r);
}

/* From here on the client does not hold it, whether the server hears of that or not. */
static void send_end(struct client *c, uint8_t type)
{
	struct peer_request r;

	begin(c, &r, type);
	c->asked = 0;
	peer_option_ip(&r, 54, c->server);
	if (type == 7)
		peer_set_ip(&r, PEER_CIADDR, c->leased);
	else
		peer_option_ip(&r, 50, c->leased);
	c->leased.s_addr = 0;
	transmit(&r);
}

static void act(struct client *c, uint64_t now)
{
	unsigned what = (unsigned)rand() % 100;

	if (c->asked && now - c->asked_ms < ANSWER_MS)
		return;
	n_silent += c->asked != 0;
	c->asked = 0;
	if (c->leased.s_addr && c->until_ms <= now) {
		c->leased.s_addr = 0;
		n_expired++;
	}
	if (c->offered.s_addr && what < 90)
		send_request(c);
	else if (!c->leased.s_addr && what < 90)
		send_discover(c);
	else if (c->leased.s_addr && what < 6) {
		send_end(c, 7);
		n_releases++;
	} else if (c->leased.s_addr && what < 8 && rand() % DECLINE_SELDOM == 0) {
		decline_note(c->leased, now);
		send_end(c, 4);
		n_declines++;
	} else if (what < 30)
		send_claim(c);
	else if (what < 40)
		send_discover(c);
}

static void listen_for(uint64_t ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = now_ms() + ms;
	uint8_t frame[PEER_FRAME_MAX];
	ssize_t n;

	do {
		poll(&p, 1, (int)ms);
		while ((n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
			on_frame(frame, (size_t)n, now_ms());
	} while (now_ms() < end);
}

static void add_clients(unsigned n)
{
	for (unsigned i = 0; i < n && n_clients < CLIENTS_MAX; i++, n_clients++) {
		clients[n_clients].mac = peer_mac(0x200000 + n_clients);
		clients[n_clients].identity = (unsigned)rand() % 1000;
	}
}

/* All is quiet until no lease runs; then new clients take the pool, but what rests after a decline. */
static bool pool_recovers(void)
{
	unsigned size = ntohl(last.s_addr) - ntohl(first.s_addr) + 1, old = n_clients, got = 0, resting = 0, quota;

	/* also leases that their clients have forgotten */
	while (now_ms() <= latest_until_ms + 1000)
		listen_for(100);
	add_clients(size);
	for (int round = 0; round < 6; round++)
		for (unsigned i = old; i < n_clients; i++) {
			if (clients[i].leased.s_addr)
				continue;
			if (clients[i].offered.s_addr)
				send_request(&clients[i]);
			else
				send_discover(&clients[i]);
			listen_for(4);
		}
	for (unsigned i = old; i < n_clients; i++)
		got += clients[i].leased.s_addr != 0;
	for (unsigned i = 0; i < size && i < POOL_MAX; i++)
		resting += declined_ms[i] && declined_ms[i] + DECLINED_REST_MS > now_ms();
	printf("afterwards %u of %u new clients got an address of %u, of which %u rest after a decline\n", got,
	       n_clients - old, size, resting);
	quota = size < QUOTA_FROM_SIZE ? size : size - size / 4;
	return got >= (quota > resting ? quota - resting : 0) / 2;
}

int main(int argc, char **argv)
{
	uint64_t end;

	if (argc != 7) {
		fprintf(stderr, "usage: dhcp_history IFNAME SECONDS FIRST LAST CLIENTS SEED\n");
		return 2;
	}
	first = peer_ip(argv[3]);
	last = peer_ip(argv[4]);
	srand((unsigned)atoi(argv[6]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	add_clients((unsigned)atoi(argv[5]));
	open_socket(argv[1]);
	for (end = now_ms() + (uint64_t)atoi(argv[2]) * 1000; now_ms() < end;) {
		act(&clients[(unsigned)rand() % n_clients], now_ms());
		listen_for(STEP_MS);
	}
	printf("acks %u naks %u offers %u releases %u declines %u expired %u unanswered %u\n", n_acks,
	       n_naks, n_offers, n_releases, n_declines, n_expired, n_silent);
	return n_acks && pool_recovers() ? 0 : 1;
}
