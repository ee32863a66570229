/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/serve_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/base/effect.h"

#define DNS_PORT 53
#define PACKET_BUFFER_BYTES (4 * 1024 * 1024)	/* what a flood sends while the server waits for a CPU */
/* Replies to forged addresses count until the kernel has given up looking for their owners: so many
 * neighbours as its table holds, times the bridge's unres_qlen_bytes (see compile). */
#define UDP_SEND_BYTES (8 * 1024 * 1024)
/* What a flood sends while others have the CPU; the kernel doubles it: 5,000 queries. More would only
 * be more to work off before anybody else has his turn: floods are thinned out (dns/sieve.h). */
#define UDP_BUFFER_BYTES (2 * 1024 * 1024)
#define TCP_BACKLOG 32

/* UDP over IPv4 to port 67, first fragment, for this host or for all. */
static const struct sock_filter dhcp_filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 9, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 5),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 67, 0, 2),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, 65535),
};

static int option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* A flood must find room; without the right to force it the system's limit applies. */
static void buffer_set(int fd, int bytes)
{
	if (option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) < 0)
		(void)option_set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

static int packet_open(const struct serve_config *c, int *fd_out, struct nd_error *err)
{
	const struct sock_fprog filter = { ND_COUNT(dhcp_filter), (struct sock_filter *)dhcp_filter };
	const struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_ifindex = c->ifindex,
					.sll_protocol = htons(ETH_P_IP) };
	/* No protocol yet: nothing may come in before filter and device are set. */
	ND_AUTO(close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return nd_error_sys(err, errno, "cannot open the DHCP socket");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    option_set(fd, SOL_SOCKET, SO_LOCK_FILTER, 1) < 0 ||
	    option_set(fd, SOL_PACKET, PACKET_AUXDATA, 1) < 0 ||
	    option_set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0)
		return nd_error_sys(err, errno, "cannot prepare the DHCP socket");
	buffer_set(fd, PACKET_BUFFER_BYTES);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return nd_error_sys(err, errno, "cannot bind the DHCP socket to bridge '%s'",
				    c->bridge);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

static socklen_t address_fill(const struct nd_ip *ip, int ifindex, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	if (ip->family == AF_INET) {
		*(struct sockaddr_in *)to = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr = ip->v4,
		};
		return sizeof(struct sockaddr_in);
	}
	*(struct sockaddr_in6 *)to = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT), .sin6_addr = ip->v6,
		.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&ip->v6) ? (uint32_t)ifindex : 0,
	};
	return sizeof(struct sockaddr_in6);
}

static int dns_open(const struct nd_ip *ip, int ifindex, const char *device, int type, int *fd_out,
		    struct nd_error *err)
{
	char text[ND_IP_STRLEN];
	struct sockaddr_storage at;
	socklen_t len = address_fill(ip, ifindex, &at);
	ND_AUTO(close) int fd = socket(ip->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool v6 = ip->family == AF_INET6;

	if (fd < 0)
		return nd_error_sys(err, errno, "cannot open a DNS socket");
	/* FREEBIND: an IPv6 address may not be there yet on a bridge that just came up. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0 ||
	    option_set(fd, IPPROTO_IP, IP_FREEBIND, 1) < 0 ||
	    (v6 && option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
	    (type == SOCK_STREAM && option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0))
		return nd_error_sys(err, errno, "cannot prepare a DNS socket on '%s'", device);
	if (type == SOCK_DGRAM) {
		buffer_set(fd, UDP_BUFFER_BYTES);
		if (option_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_SEND_BYTES) < 0)
			(void)option_set(fd, SOL_SOCKET, SO_SNDBUF, UDP_SEND_BYTES);
	}
	if (bind(fd, (struct sockaddr *)&at, len) < 0)
		return nd_error_sys(err, errno, "cannot listen for DNS on %s port 53 (%s)",
				    nd_ip_format(ip, text), type == SOCK_DGRAM ? "UDP" : "TCP");
	if (type == SOCK_STREAM && listen(fd, TCP_BACKLOG) < 0)
		return nd_error_sys(err, errno, "cannot listen for DNS on %s port 53 (TCP)",
				    nd_ip_format(ip, text));
	*fd_out = nd_take_fd(&fd);
	return 0;
}

static int dns_add(struct serve_sockets *s, const struct serve_config *c, const struct nd_ip *ip,
		   const char *device, int type, struct nd_error *err)
{
	int r;

	if (s->n == CHANNEL_FDS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "bridge '%s' has more "
				    "addresses than DNS can listen on", c->bridge);
	r = dns_open(ip, c->ifindex, device, type, &s->fds[s->n], err);
	if (r == 0)
		s->n++;
	return r;
}

/* The bridge's link-local address: the kernel makes it of the MAC (RFC 4291 appendix A). */
static bool link_local(const struct serve_config *c, struct nd_ip *out)
{
	const uint8_t *m = c->mac.bytes;
	bool v6 = false;

	for (size_t i = 0; i < c->n_addresses; i++)
		v6 = v6 || c->addresses[i].family == AF_INET6;
	*out = nd_ip_from6((struct in6_addr){ .s6_addr = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5] } });
	return v6;
}

static int dns_add_all(struct serve_sockets *s, const struct serve_config *c, int type,
		       uint16_t *n_out, struct nd_error *err)
{
	size_t before = s->n;
	struct nd_ip local;
	int r = 0;

	for (size_t i = 0; i < c->n_addresses && r == 0; i++) {
		r = dns_add(s, c, &c->addresses[i], c->bridge, type, err);
		/* What this host asks itself comes by lo, whatever the address. */
		if (r == 0)
			r = dns_add(s, c, &c->addresses[i], "lo", type, err);
	}
	if (r == 0 && link_local(c, &local))
		r = dns_add(s, c, &local, c->bridge, type, err);
	*n_out = (uint16_t)(s->n - before);
	return r;
}

/* run_dir may be longer than a socket's address: it is reached by its descriptor. */
static int name_fill(int dir, const struct nd_uuid *uuid, struct sockaddr_un *to)
{
	char text[ND_UUID_STRLEN];

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(to->sun_path, sizeof(to->sun_path), "/proc/self/fd/%d/%s.sock", dir,
			nd_uuid_format(uuid, text));
}

static int run_dir_open(const char *run_dir)
{
	int fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void serve_sockets_unlink(const char *run_dir, const struct nd_uuid *uuid)
{
	struct sockaddr_un name;
	ND_AUTO(close) int dir = run_dir_open(run_dir);

	if (dir < 0 || nd_effect(ND_EFFECT_FILE, "unlink server socket") < 0)
		return;
	name_fill(dir, uuid, &name);
	(void)unlink(name.sun_path);	/* a socket nobody listens on does no harm */
}

static int listen_open(const struct serve_config *c, const char *run_dir, int *fd_out,
		       struct nd_error *err)
{
	struct sockaddr_un name;
	ND_AUTO(close) int dir = run_dir_open(run_dir);
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = nd_effect(ND_EFFECT_FILE, "bind server socket");

	if (dir < 0 || fd < 0)
		return nd_error_sys(err, errno, "cannot make a socket in '%s'", run_dir);
	name_fill(dir, &c->uuid, &name);
	(void)unlink(name.sun_path);
	if (r == 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		r = -errno;
	if (r == 0 && chmod(name.sun_path, 0600) < 0)
		r = -errno;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make a socket in '%s'", run_dir);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

int serve_sockets_open(const struct serve_config *c, const char *run_dir, struct serve_sockets *out,
		       struct nd_error *err)
{
	ND_AUTO(serve_sockets_close) struct serve_sockets s = { .head.packet = c->dhcp.enabled };
	int r = 0;

	if (c->dhcp.enabled)
		r = packet_open(c, &s.fds[1], err);
	if (r == 0)
		s.n = 1 + c->dhcp.enabled;
	s.fds[0] = -1;
	if (r == 0 && c->dns.enabled)
		r = dns_add_all(&s, c, SOCK_DGRAM, &s.head.n_udp, err);
	if (r == 0 && c->dns.enabled)
		r = dns_add_all(&s, c, SOCK_STREAM, &s.head.n_tcp, err);
	if (r == 0)
		r = listen_open(c, run_dir, &s.fds[0], err);
	if (r < 0)
		return r;
	*out = s;
	s.n = 0;
	return 0;
}

void serve_sockets_close(struct serve_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	s->n = 0;
}

int serve_sockets_connect(const char *run_dir, const struct nd_uuid *uuid)
{
	struct sockaddr_un name;
	ND_AUTO(close) int dir = run_dir_open(run_dir);
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (dir < 0)
		return dir;
	if (fd < 0)
		return -errno;
	name_fill(dir, uuid, &name);
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return -errno;
	return nd_take_fd(&fd);
}
