/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that the network knows itself: <dns>, <domain>, localPtr and leases. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"
#include "dns/zone.h"
#include "netd/base/array.h"
#include "tests/suite.h"

static struct dns_config config;
static struct dns_zone *zone;
static struct nd_error err;

static struct nd_ip ip(const char *text)
{
	struct nd_ip a;

	ck_assert_msg(nd_ip_parse(text, &a), "%s", text);
	return a;
}

/* names: separated by blanks */
static void host(const char *address, const char *names)
{
	struct dns_host_record *h = nd_array_add(config.hosts, config.n_hosts);
	char *text = strdup(names), *save = NULL;

	h->ip = ip(address);
	for (char *n = strtok_r(text, " ", &save); n; n = strtok_r(NULL, " ", &save))
		*nd_array_add(h->names, h->n_names) = strdup(n);
	free(text);
}

static void txt(const char *name, const char *value)
{
	*nd_array_add(config.txts, config.n_txts) =
		(struct dns_txt_record){ strdup(name), strdup(value) };
}

static void srv(const char *owner, const char *target, uint16_t port)
{
	*nd_array_add(config.srvs, config.n_srvs) =
		(struct dns_srv_record){ strdup(owner), strdup(target), port, 5, 6 };
}

static void local_ptr(const char *address, uint8_t len)
{
	*nd_array_add(config.local_ptr, config.n_local_ptr) =
		(struct nd_prefix){ ip(address), len };
}

static void domain(const char *name, bool local_only)
{
	free(config.domain);
	config.domain = strdup(name);
	config.local_only = local_only;
}

static void set_up(void)
{
	memset(&config, 0, sizeof(config));
	zone = NULL;
	config.enabled = config.forward_plain_names = true;
}

static void tear_down(void)
{
	dns_zone_free(zone);
	dns_config_fini(&config);
}

static void build(void)
{
	dns_zone_free(zone);
	ck_assert_msg(dns_zone_new(&config, &zone, &err) == 0, "%s", err.text);
}

static enum dns_zone_result find(const char *name, uint16_t type, const struct dns_rrset **rr)
{
	struct dns_name n;

	*rr = NULL;
	ck_assert(dns_name_parse(name, &n));
	return dns_zone_find(zone, &n, type, rr);
}

static void gives(const char *name, uint16_t type, enum dns_zone_result result)
{
	const struct dns_rrset *rr;
	enum dns_zone_result got = find(name, type, &rr);

	ck_assert_msg(got == result, "%s type %u: %d instead of %d", name, type, got, result);
}

/* The one record's data. */
static void has(const char *name, uint16_t type, const void *rdata, size_t len)
{
	const struct dns_rrset *rr;

	ck_assert_msg(find(name, type, &rr) == DNS_ZONE_FOUND, "%s type %u", name, type);
	ck_assert_uint_eq(rr->count, 1);
	ck_assert_uint_eq(rr->len, 12 + len);
	ck_assert_mem_eq(rr->wire, "\xc0\x0c", 2);
	ck_assert_uint_eq(rr->wire[2] << 8 | rr->wire[3], type);
	ck_assert_mem_eq(rr->wire + 4, "\0\x01\0\0\0\0", 6);	/* class IN, TTL 0 */
	ck_assert_uint_eq(rr->wire[10] << 8 | rr->wire[11], len);
	ck_assert_mem_eq(rr->wire + 12, rdata, len);
}

static void has_address(const char *name, const char *address)
{
	struct nd_ip a = ip(address);
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(&a, &len);

	has(name, a.family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA, bytes, len);
}

static void has_ptr(const char *address, const char *name)
{
	struct nd_ip a = ip(address);
	struct dns_name reverse, target;
	char text[DNS_NAME_STRLEN];

	dns_name_reverse(&a, &reverse);
	ck_assert(dns_name_parse(name, &target));
	has(dns_name_format(&reverse, text), DNS_TYPE_PTR, target.wire, target.len);
}

static enum dns_lease_result lease(const char *name, const char *address, bool configured)
{
	struct nd_ip a = ip(address);

	return dns_zone_lease_add(zone, name, &a, configured);
}

static void release(const char *address)
{
	struct nd_ip a = ip(address);

	dns_zone_lease_remove(zone, &a);
}

START_TEST(a_host_has_addresses_and_ptr)
{
	host("192.168.1.2", "Web.example.org alias.example.org");
	host("2001:db8::2", "web.example.org");
	build();
	has_address("web.example.org", "192.168.1.2");
	has_address("web.example.org", "2001:db8::2");
	has_address("alias.example.org", "192.168.1.2");
	has_ptr("192.168.1.2", "web.example.org");
	has_ptr("2001:db8::2", "web.example.org");
}
END_TEST

START_TEST(a_missing_type_of_a_known_name_is_no_data)
{
	host("192.168.1.2", "web.example.org");
	build();
	gives("web.example.org", DNS_TYPE_AAAA, DNS_ZONE_NODATA);
	gives("web.example.org", DNS_TYPE_MX, DNS_ZONE_NODATA);
	gives("2.1.168.192.in-addr.arpa", DNS_TYPE_A, DNS_ZONE_NODATA);
	gives("other.example.org", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	gives("example.org", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	gives("below.web.example.org", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(a_short_name_counts_with_the_domain_too)
{
	domain("lan", false);
	host("192.168.1.2", "web");
	build();
	has_address("web", "192.168.1.2");
	has_address("web.lan", "192.168.1.2");
	has_ptr("192.168.1.2", "web.lan");
	gives("other.lan", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(hosts_with_one_address_merge_and_the_first_name_is_canonical)
{
	host("192.168.1.2", "first second");
	host("192.168.1.2", "third");
	build();
	has_address("first", "192.168.1.2");
	has_address("second", "192.168.1.2");
	has_address("third", "192.168.1.2");
	has_ptr("192.168.1.2", "first");
}
END_TEST

START_TEST(a_name_may_have_several_addresses_each_once)
{
	const struct dns_rrset *rr;

	host("192.168.1.2", "web");
	host("192.168.1.3", "web");
	host("192.168.1.3", "web");
	build();
	ck_assert_int_eq(find("web", DNS_TYPE_A, &rr), DNS_ZONE_FOUND);
	ck_assert_uint_eq(rr->count, 2);
	ck_assert_uint_eq(rr->len, 32);
}
END_TEST

START_TEST(unknown_names_of_a_local_only_domain_do_not_exist)
{
	domain("Corp.example", true);
	host("192.168.1.2", "a.b.corp.example");
	build();
	gives("x.corp.example", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	gives("x.y.z.corp.example", DNS_TYPE_AAAA, DNS_ZONE_NXDOMAIN);
	gives("corp.example", DNS_TYPE_A, DNS_ZONE_NODATA);
	/* Something is below it, so it is there (RFC 8020). */
	gives("b.corp.example", DNS_TYPE_A, DNS_ZONE_NODATA);
	gives("xcorp.example", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	gives("example", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(plain_names_stay_here_when_told_so)
{
	build();
	gives("printer", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	config.forward_plain_names = false;
	build();
	gives("printer", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	gives("printer", DNS_TYPE_MX, DNS_ZONE_NXDOMAIN);
	gives("printer.example", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	gives(".", DNS_TYPE_NS, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(local_ptr_answers_a_reverse_zone_alone)
{
	local_ptr("192.168.1.1", 24);
	local_ptr("2001:db8:0:1::1", 64);
	host("192.168.1.2", "web");
	build();
	has_ptr("192.168.1.2", "web");
	gives("3.1.168.192.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_NXDOMAIN);
	gives("1.168.192.in-addr.arpa", DNS_TYPE_SOA, DNS_ZONE_NODATA);
	gives("3.2.168.192.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_UNKNOWN);
	gives("9.1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_TYPE_PTR, DNS_ZONE_NXDOMAIN);
	gives("9.2.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_TYPE_PTR, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(txt_is_split_at_commas)
{
	txt("note", "a b,c");
	txt("empty", "");
	domain("lan", false);
	build();
	has("note", DNS_TYPE_TXT, "\3a b\1c", 6);
	has("empty", DNS_TYPE_TXT, "\0", 1);
	gives("note.lan", DNS_TYPE_TXT, DNS_ZONE_UNKNOWN);	/* no domain added */
	gives("note", DNS_TYPE_A, DNS_ZONE_NODATA);
}
END_TEST

START_TEST(a_txt_string_of_more_than_255_bytes_is_refused)
{
	char value[300];

	memset(value, 'x', sizeof(value));
	value[255] = '\0';
	txt("long", value);
	build();
	value[255] = 'x';
	value[256] = '\0';
	txt("longer", value);
	ck_assert_int_lt(dns_zone_new(&config, &zone, &err), 0);
	ck_assert_str_eq(err.text, "a string of the DNS TXT record 'longer' has 256 bytes; "
				   "at most 255 fit");
}
END_TEST

START_TEST(srv_has_its_fields_and_none_is_the_root)
{
	srv("_http._tcp.lan", "web.lan", 80);
	srv("_ldap._tcp.lan", "", 0);
	srv("_ftp._tcp.lan", ".", 21);
	build();
	has("_http._tcp.lan", DNS_TYPE_SRV, "\0\5\0\6\0\x50\3web\3lan\0", 15);
	has("_ldap._tcp.lan", DNS_TYPE_SRV, "\0\0\0\0\0\1\0", 7);
	has("_ftp._tcp.lan", DNS_TYPE_SRV, "\0\0\0\0\0\1\0", 7);
}
END_TEST

START_TEST(a_name_that_cannot_be_encoded_is_refused)
{
	host("192.168.1.2", "a..b");
	ck_assert_int_lt(dns_zone_new(&config, &zone, &err), 0);
	ck_assert_str_eq(err.text, "the DNS host 'a..b' is not a domain name (labels of 1 to 63 "
				   "bytes, 255 in all)");
}
END_TEST

START_TEST(special_names_are_never_forwarded)
{
	build();
	has_address("localhost", "127.0.0.1");
	has_address("localhost", "::1");
	gives("x.localhost", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	gives("x.invalid", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	gives("x.onion", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
}
END_TEST

START_TEST(any_finds_one_set)
{
	host("192.168.1.2", "web");
	host("2001:db8::2", "web");
	build();
	gives("web", DNS_TYPE_ANY, DNS_ZONE_FOUND);
	gives("other", DNS_TYPE_ANY, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(a_lease_has_names_while_it_lasts)
{
	domain("lan", true);
	local_ptr("192.168.1.1", 24);
	build();
	gives("guest.lan", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	ck_assert_int_eq(lease("Guest", "192.168.1.5", false), DNS_LEASE_ADDED);
	has_address("guest", "192.168.1.5");
	has_address("guest.lan", "192.168.1.5");
	has_ptr("192.168.1.5", "guest.lan");
	gives("guest.lan", DNS_TYPE_AAAA, DNS_ZONE_NODATA);
	ck_assert_int_eq(lease("guest", "192.168.1.5", false), DNS_LEASE_ADDED);	/* renewed */
	has_address("guest.lan", "192.168.1.5");
	release("192.168.1.5");
	gives("guest", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	gives("guest.lan", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
	gives("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_NXDOMAIN);
	release("192.168.1.5");		/* once more does no harm */
}
END_TEST

START_TEST(a_clients_name_is_cut_at_the_dot_and_must_be_legal)
{
	domain("lan", false);
	build();
	ck_assert_int_eq(lease("gst.bad.dom", "192.168.1.5", false), DNS_LEASE_ADDED);
	has_address("gst.lan", "192.168.1.5");
	gives("gst.bad.dom", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	ck_assert_int_eq(lease("we ird", "192.168.1.5", false), DNS_LEASE_BAD_NAME);
	gives("gst.lan", DNS_TYPE_A, DNS_ZONE_UNKNOWN);		/* its old name is gone */
	ck_assert_int_eq(lease("", "192.168.1.5", false), DNS_LEASE_BAD_NAME);
	ck_assert_int_eq(lease("a_b-1", "192.168.1.5", false), DNS_LEASE_ADDED);
}
END_TEST

START_TEST(a_client_cannot_take_the_names_that_others_look_for_by_themselves)
{
	domain("lan", false);
	build();
	ck_assert_int_eq(lease("WPAD", "192.168.1.5", false), DNS_LEASE_BAD_NAME);
	ck_assert_int_eq(lease("isatap", "192.168.1.5", false), DNS_LEASE_BAD_NAME);
	gives("wpad.lan", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	ck_assert_int_eq(lease("wpad", "192.168.1.5", true), DNS_LEASE_ADDED);
}
END_TEST

START_TEST(a_later_client_takes_a_name_over)
{
	domain("lan", false);
	build();
	lease("guest", "192.168.1.5", false);
	ck_assert_int_eq(lease("guest", "192.168.1.6", false), DNS_LEASE_ADDED);
	has_address("guest.lan", "192.168.1.6");
	gives("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_UNKNOWN);
	release("192.168.1.5");
	has_address("guest.lan", "192.168.1.6");	/* not the former holder's any more */
	release("192.168.1.6");
	gives("guest.lan", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
}
END_TEST

START_TEST(a_configured_name_beats_a_clients)
{
	build();
	lease("guest", "192.168.1.5", true);
	ck_assert_int_eq(lease("guest", "192.168.1.6", false), DNS_LEASE_NAME_TAKEN);
	has_address("guest", "192.168.1.5");
	gives("6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_UNKNOWN);
	lease("other", "192.168.1.7", false);
	ck_assert_int_eq(lease("other", "192.168.1.8", true), DNS_LEASE_ADDED);
	has_address("other", "192.168.1.8");
}
END_TEST

START_TEST(families_do_not_take_names_from_each_other)
{
	build();
	lease("guest", "192.168.1.5", false);
	lease("guest", "2001:db8::5", false);
	has_address("guest", "192.168.1.5");
	has_address("guest", "2001:db8::5");
	release("192.168.1.5");
	has_address("guest", "2001:db8::5");
}
END_TEST

START_TEST(a_name_of_the_configuration_is_not_taken)
{
	domain("lan", false);
	host("192.168.1.2", "web");
	txt("note", "x");
	build();
	ck_assert_int_eq(lease("web", "192.168.1.5", true), DNS_LEASE_NAME_TAKEN);
	has_address("web.lan", "192.168.1.2");
	/* The address has a name by configuration: that one counts. */
	ck_assert_int_eq(lease("guest", "192.168.1.2", false), DNS_LEASE_HOST_NAMED);
	has_ptr("192.168.1.2", "web.lan");
	gives("guest", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	/* A record without an address takes no host's name. */
	ck_assert_int_eq(lease("note", "192.168.1.6", false), DNS_LEASE_ADDED);
	has_address("note", "192.168.1.6");
	release("192.168.1.6");
	has("note", DNS_TYPE_TXT, "\1x", 2);
}
END_TEST

START_TEST(leases_outlive_a_new_configuration)
{
	struct dns_zone *next;

	domain("lan", false);
	build();
	lease("a", "192.168.1.5", false);
	lease("b", "192.168.1.6", false);
	lease("c", "192.168.1.7", false);
	domain("net", false);
	host("192.168.1.9", "b");
	ck_assert_int_eq(dns_zone_new(&config, &next, &err), 0);
	ck_assert_int_eq(dns_zone_lease_copy(next, zone, 1000), 0);
	dns_zone_free(zone);
	zone = next;
	has_address("a.net", "192.168.1.5");
	gives("a.lan", DNS_TYPE_A, DNS_ZONE_UNKNOWN);
	has_address("b", "192.168.1.9");
	has_address("c.net", "192.168.1.7");
	/* The one that lost its name gets it back when the record goes. */
	config.n_hosts = 0;
	ck_assert_int_eq(dns_zone_new(&config, &next, &err), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(dns_zone_lease_copy(next, zone, 1), 1);
	ck_assert_int_eq(dns_zone_lease_copy(next, zone, 1), 0);
	dns_zone_free(zone);
	zone = next;
	config.n_hosts = 1;
	has_address("b.net", "192.168.1.6");
}
END_TEST

START_TEST(a_thousand_leases_come_and_go_without_a_trace)
{
	domain("lan", true);
	local_ptr("10.0.0.0", 8);
	build();
	for (int round = 0; round < 2; round++) {
		char name[32], address[32];

		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "guest%d", (i * 7) % 500);
			snprintf(address, sizeof(address), "10.1.%d.%d", i / 250, i % 250);
			ck_assert_int_eq(lease(name, address, false), DNS_LEASE_ADDED);
		}
		for (int i = 0; i < 1000; i++) {
			snprintf(address, sizeof(address), "10.1.%d.%d", i / 250, i % 250);
			release(address);
		}
		gives("guest7.lan", DNS_TYPE_A, DNS_ZONE_NXDOMAIN);
		gives("1.10.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_NXDOMAIN);
		gives("10.in-addr.arpa", DNS_TYPE_PTR, DNS_ZONE_NODATA);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns zone");
	TCase *t = tcase_create("zone");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_host_has_addresses_and_ptr);
	tcase_add_test(t, a_missing_type_of_a_known_name_is_no_data);
	tcase_add_test(t, a_short_name_counts_with_the_domain_too);
	tcase_add_test(t, hosts_with_one_address_merge_and_the_first_name_is_canonical);
	tcase_add_test(t, a_name_may_have_several_addresses_each_once);
	tcase_add_test(t, unknown_names_of_a_local_only_domain_do_not_exist);
	tcase_add_test(t, plain_names_stay_here_when_told_so);
	tcase_add_test(t, local_ptr_answers_a_reverse_zone_alone);
	tcase_add_test(t, txt_is_split_at_commas);
	tcase_add_test(t, a_txt_string_of_more_than_255_bytes_is_refused);
	tcase_add_test(t, srv_has_its_fields_and_none_is_the_root);
	tcase_add_test(t, a_name_that_cannot_be_encoded_is_refused);
	tcase_add_test(t, special_names_are_never_forwarded);
	tcase_add_test(t, any_finds_one_set);
	tcase_add_test(t, a_lease_has_names_while_it_lasts);
	tcase_add_test(t, a_clients_name_is_cut_at_the_dot_and_must_be_legal);
	tcase_add_test(t, a_client_cannot_take_the_names_that_others_look_for_by_themselves);
	tcase_add_test(t, a_later_client_takes_a_name_over);
	tcase_add_test(t, a_configured_name_beats_a_clients);
	tcase_add_test(t, families_do_not_take_names_from_each_other);
	tcase_add_test(t, a_name_of_the_configuration_is_not_taken);
	tcase_add_test(t, leases_outlive_a_new_configuration);
	tcase_add_test(t, a_thousand_leases_come_and_go_without_a_trace);
	return suite_run(s);
}
