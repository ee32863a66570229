/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries as guests send them, against a zone with one of everything. The input is a sequence of
 *	u8 what, u16 length, length bytes
 * where what chooses: a query by UDP, by TCP, from outside, or a lease's name.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/forwarder.h"
#include "tests/fuzz/dns_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dns_counters counters;
static struct dns_loop loop = { .epoll_fd = -1 };
static struct dns_answerer answerer = { .network = "fuzz", .counters = &counters };

static void forward_done(void *context, const struct dns_waiter *w, const struct dns_body *body)
{
	MUST(!"nothing is forwarded: there are no upstreams");
}

static struct nd_ip ip(const char *text)
{
	struct nd_ip a;

	MUST(nd_ip_parse(text, &a));
	return a;
}

static void set_up(void)
{
	static char *names[] = { "web", "www.example.org" }, many[] = "many";
	static struct dns_host_record hosts[64] = { { .names = names, .n_names = 2 } };
	static char *many_names[] = { many };
	static struct dns_txt_record txts[] = { { "note", "a,b c" } };
	static struct dns_srv_record srvs[] = {
		{ "_http._tcp.lan", "many.lan", 80, 1, 2 }, { "_x._udp.lan", "", 0, 0, 0 } };
	static struct nd_prefix subnets[2] = { { .len = 24 }, { .len = 64 } };
	struct dns_config c = { .enabled = true, .domain = "lan", .local_only = true,
				.hosts = hosts, .n_hosts = 64, .txts = txts, .n_txts = 1,
				.srvs = srvs, .n_srvs = 2, .subnets = subnets, .n_subnets = 2,
				.local_ptr = subnets, .n_local_ptr = 2 };

	hosts[0].ip = ip("192.168.7.2");
	for (int i = 1; i < 64; i++) {
		hosts[i] = (struct dns_host_record){ .names = many_names, .n_names = 1 };
		hosts[i].ip = nd_ip_from4((struct in_addr){ htonl(0xc0a80800u + (uint32_t)i) });
	}
	subnets[0].addr = ip("192.168.7.1");
	subnets[1].addr = ip("2001:db8::1");
	MUST(dns_zone_new(&c, &answerer.zone, NULL) == 0);
	answerer.cache = dns_cache_new(10000);
	answerer.forwarder = dns_forwarder_new("fuzz", &loop, answerer.cache, &counters,
					       forward_done, NULL);
	MUST(answerer.cache && answerer.forwarder);
	MUST(dns_forwarder_configure(answerer.forwarder, &c, NULL) == 0);
	answerer.subnets = subnets;
	answerer.n_subnets = 2;
}

static void query(uint8_t what, const uint8_t *bytes, size_t len)
{
	static uint8_t packet[DNS_MESSAGE_MAX];
	struct dns_asker asker = { .client = ip(what & 2 ? "10.9.9.9" : "192.168.7.9") };
	size_t asked_len = len;

	if (what & 1)
		asker.stream_limit = DNS_MESSAGE_MAX;
	else if (len > DNS_UDP_MAX)
		return;		/* the socket's buffer is no longer */
	memcpy(packet, bytes, len);
	if (dns_answer(&answerer, packet, &len, &asker, 1000) != DNS_REPLY)
		return;
	reply_check(packet, len, (uint16_t)(bytes[0] << 8 | bytes[1]),
		    what & 1 ? DNS_MESSAGE_MAX : DNS_UDP_MAX);
	MUST(!(what & 2) || len <= asked_len);	/* nothing to amplify for strangers */
}

static void lease(uint8_t what, const uint8_t *bytes, size_t len)
{
	struct nd_ip a = ip(what & 8 ? "192.168.7.5" : what & 16 ? "2001:db8::5" : "192.168.7.2");
	char name[256];

	if (len >= sizeof(name))
		return;
	memcpy(name, bytes, len);
	name[len] = '\0';
	if (len)
		(void)dns_zone_lease_add(answerer.zone, name, &a, what & 32);
	else
		dns_zone_lease_remove(answerer.zone, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	if (!answerer.zone)
		set_up();
	while (rd_more(&r)) {
		uint8_t what = rd_u8(&r);
		size_t len = rd_u16(&r);
		const uint8_t *bytes = rd_bytes(&r, len);

		if (!bytes)
			break;
		if (what & 4)
			lease(what, bytes, len);
		else
			query(what, bytes, len);
	}
	return 0;
}
