/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/virtio_tap.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HEADER 12			/* virtio-net's */

int tap_new(const char *name, bool several)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (several)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void set_flags(const char *name, short flags, bool with_address)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	struct sockaddr_in *a = (struct sockaddr_in *)&ifr.ifr_addr;

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (with_address) {
		a->sin_family = AF_INET;
		inet_pton(AF_INET, TAP_HOST, &a->sin_addr);
		ck_assert_int_eq(ioctl(s, SIOCSIFADDR, &ifr), 0);
		inet_pton(AF_INET, "255.255.255.0", &a->sin_addr);
		ck_assert_int_eq(ioctl(s, SIOCSIFNETMASK, &ifr), 0);
	}
	ifr.ifr_flags = flags;
	ck_assert_int_eq(ioctl(s, SIOCSIFFLAGS, &ifr), 0);
	close(s);
}

void tap_up(const char *name)
{
	set_flags(name, IFF_UP | IFF_RUNNING, true);
}

void tap_down(const char *name)
{
	set_flags(name, 0, false);
}

size_t arp_request(uint8_t *buf, const uint8_t *mac)
{
	struct ether_arp arp = { .arp_hrd = htons(1), .arp_pro = htons(ETHERTYPE_IP), .arp_hln = 6,
				 .arp_pln = 4, .arp_op = htons(ARPOP_REQUEST) };
	struct ether_header eth = { .ether_type = htons(ETHERTYPE_ARP) };

	memset(eth.ether_dhost, 0xff, 6);
	memcpy(eth.ether_shost, mac, 6);
	memcpy(arp.arp_sha, mac, 6);
	inet_pton(AF_INET, "10.9.8.2", arp.arp_spa);
	inet_pton(AF_INET, TAP_HOST, arp.arp_tpa);
	memset(buf, 0, HEADER);
	memcpy(buf + HEADER, &eth, sizeof(eth));
	memcpy(buf + HEADER + sizeof(eth), &arp, sizeof(arp));
	return HEADER + sizeof(eth) + sizeof(arp);
}

bool arp_is_answer(const uint8_t *frame, size_t len, const uint8_t *mac)
{
	struct ether_header eth;
	struct ether_arp arp;

	if (len < HEADER + sizeof(eth) + sizeof(arp))
		return false;
	memcpy(&eth, frame + HEADER, sizeof(eth));
	memcpy(&arp, frame + HEADER + sizeof(eth), sizeof(arp));
	return eth.ether_type == htons(ETHERTYPE_ARP) && memcmp(eth.ether_dhost, mac, 6) == 0 &&
	       arp.arp_op == htons(ARPOP_REPLY);
}
