/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evil_driver.c -- a guest's driver that wants to harm the host
 *
 *	evil_driver SECONDS SEED GATEWAY_MAC ADDRESS
 *
 * Runs until every NIC has given some buffers back, but not for more than four times the SECONDS.
 *
 * Runs as root in a guest: takes every virtio device from the kernel's driver, maps its BARs and does anything to
 * them, from every virtual CPU at once: resets at any time, queues at any address and of any size, descriptors that loop,
 * lie and point nowhere, receive buffers over rings, commands and requests of random bytes, BARs that move, MSI-X
 * tables of nonsense, the ports of hot-plug, power management and PCI. Half of it is nearly right, since what is all
 * wrong is refused at the door: frames that pretend to be others', that ask for a way to ADDRESS in another network
 * through the gateway. All that it sends has EVIL in it. Addresses in RAM are only those of its own pages, so that the
 * guest itself lives to say how many rounds it did, and how many buffers came back.
 */
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "evil_device.h"

#define RING 64u			/* descriptors, at most */
#define HEADER 12u			/* before each frame */
#define CPUS_MAX 4
#define ENOUGH 10			/* buffers of each kind that a NIC gave back */
#define RSS_BITS (1u << (VIRTIO_NET_F_RSS - 32) | 1u << (VIRTIO_NET_F_HASH_REPORT - 32))

/* What the processes, one for each CPU, share. */
static struct shared {
	uint16_t sizes[SLOTS][QUEUES];	/* of the rings */
	uint16_t used[SLOTS][QUEUES];	/* what came back by the last look */
	uint8_t ctrl[SLOTS];		/* which queue takes commands */
	unsigned rounds, came_back[SLOTS][3];	/* rx, tx, commands */
} *shared;

static uint8_t gateway[6], victim[4];
static sigjmp_buf faulted;

static struct vring_desc *ring_of(const struct device *d, unsigned queue)
{
	return (struct vring_desc *)(pages + (d->slot * QUEUES + queue) * PAGE);
}

static struct vring_avail *avail_of(const struct device *d, unsigned queue)
{
	return (struct vring_avail *)((uint8_t *)ring_of(d, queue) + 0x800);
}

static struct vring_used *used_of(const struct device *d, unsigned queue)
{
	return (struct vring_used *)((uint8_t *)ring_of(d, queue) + 0xc00);
}

/* A ring in one page of ours: descriptors, at 0x800 avail, at 0xc00 used. */
static void set_queue(struct device *d, unsigned queue)
{
	uint64_t at = below(16) ? physical[d->slot * QUEUES + queue] : address();
	uint16_t size = below(4) ? RING : below(4) ? 1u << below(7) : (uint16_t)rnd();

	write16(d, 22, (uint16_t)queue);
	write16(d, 24, size);
	write16(d, 26, (uint16_t)below(24));
	write32(d, 32, (uint32_t)at);
	write32(d, 36, (uint32_t)(at >> 32));
	write32(d, 40, (uint32_t)at + 0x800);
	write32(d, 44, (uint32_t)(at >> 32));
	write32(d, 48, (uint32_t)at + 0xc00);
	write32(d, 52, (uint32_t)(at >> 32));
	memset(ring_of(d, queue), 0, PAGE);
	shared->used[d->slot][queue] = 0;
	shared->sizes[d->slot][queue] = size <= RING ? size : RING;
	write16(d, 28, 1);
}

static void drive(struct device *d)
{
	uint32_t taken, high;

	d->bar[20] = 0;
	for (unsigned i = 0; d->bar[20] && i < 1000; i++)
		;
	d->bar[20] = 3;
	write32(d, 0, 0);
	taken = read32(d, 4) & (below(2) ? ~0u : (uint32_t)(rnd() | rnd()));
	write32(d, 8, 0);
	write32(d, 12, below(6) ? taken : (uint32_t)rnd());
	write32(d, 0, 1);
	high = 1 | (read32(d, 4) & (below(2) ? RSS_BITS : (uint32_t)rnd() & RSS_BITS));
	write32(d, 8, 1);
	write32(d, 12, high);
	d->bar[20] = 0xb;
	shared->ctrl[d->slot] = 2;
	if (taken >> VIRTIO_NET_F_MQ & 1 || high >> (VIRTIO_NET_F_RSS - 32) & 1)
		shared->ctrl[d->slot] = (uint8_t)(2 * d->bar[DEVICE + 8] % QUEUES);
	for (unsigned q = 0; q < QUEUES; q++)
		set_queue(d, q);
	d->bar[20] = 0xf;
}

/* Chains of buffers, some with what a command or a request begins with. */
static void fill_ring(struct device *d, unsigned queue)
{
	struct vring_desc *desc = ring_of(d, queue);
	struct vring_avail *avail = avail_of(d, queue);
	unsigned writes_from = 1 + below(4);

	for (unsigned i = 0; i < RING; i++) {
		uint64_t at = address();

		desc[i] = (struct vring_desc){ .addr = at, .len = length(at), .next = (uint16_t)((i + 1) % RING) };
		desc[i].flags = (i % 4 < 3 ? VRING_DESC_F_NEXT : 0) |
				(i % 4 >= writes_from ? VRING_DESC_F_WRITE : 0);
		if (below(24) == 0)
			desc[i].flags = (uint16_t)rnd() & 7;
		if (below(40) == 0)
			desc[i].next = (uint16_t)rnd();
		if (i % 4 == 0 && below(2))
			desc[i].len = 16;
	}
	for (unsigned i = 0; i < RING; i++)
		avail->ring[i] = (uint16_t)(below(20) ? below(16) * 4 : rnd());
	avail->flags = (uint16_t)below(2);
	avail->idx += (uint16_t)(below(16) ? below(16) : rnd());
}

static void fill_pages(void)
{
	for (unsigned i = RING_PAGES; i < PAGES; i++) {
		uint8_t *p = pages + i * PAGE;

		for (unsigned k = 0; k < PAGE; k += 4)
			memcpy(p + k, "EVIL", 4);
		for (unsigned k = 0; k < 64; k++)
			p[below(PAGE)] = (uint8_t)rnd();
		/* a request's type and sector; a command's class; a header of a frame */
		memset(p, 0, 16);
		p[0] = (uint8_t)below(16);
		p[1] = (uint8_t)(below(2) ? 0 : below(4));
		p[8] = (uint8_t)rnd();
	}
}

/* What is nearly right */

struct piece {
	uint64_t at;
	uint32_t len;
	uint16_t flags;
};

/* A page for data: its number. */
static unsigned data_page(void)
{
	return RING_PAGES + below(PAGES - RING_PAGES);
}

/* Writes a chain into a table from an index on; now and then one without an end. */
static void table_fill(struct vring_desc *table, unsigned size, unsigned from, const struct piece *pieces, unsigned n)
{
	bool endless = below(60) == 0;

	for (unsigned i = 0; i < n; i++)
		table[(from + i) % size] = (struct vring_desc){
			pieces[i].at, pieces[i].len,
			(uint16_t)(pieces[i].flags | (i + 1 < n || endless ? VRING_DESC_F_NEXT : 0)),
			(uint16_t)((from + (i + 1 < n ? i + 1 : 0)) % size) };
}

/* Shows the device one chain, in the next descriptors or in a table of its own. */
static void chain(struct device *d, unsigned queue, const struct piece *pieces, unsigned n)
{
	unsigned size = shared->sizes[d->slot][queue], page = data_page();
	struct vring_avail *avail = avail_of(d, queue);
	unsigned head = avail->idx * 4u;

	if (size < n || size & (size - 1))
		return;
	if (below(8)) {
		table_fill(ring_of(d, queue), size, head, pieces, n);
	} else {
		struct piece p = { physical[page], n * 16 + (below(20) ? 0 : below(PAGE)), VRING_DESC_F_INDIRECT };

		table_fill((struct vring_desc *)(pages + page * PAGE), PAGE / 16, 0, pieces, n);
		ring_of(d, queue)[head % size] = (struct vring_desc){ p.at, p.len, p.flags, 0 };
	}
	avail->ring[avail->idx % size] = (uint16_t)(head % size);
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_RELEASE);
}

/* Buffers for frames, at times so small that many are needed, or over rings and other buffers. */
static void put_buffers(struct device *d, unsigned queue)
{
	for (unsigned i = below(RING); i > 0; i--) {
		uint64_t at = below(30) ? physical[data_page()] : address();
		struct piece p[] = { { at, below(4) ? 1600 : 12 + below(100), VRING_DESC_F_WRITE },
				     { physical[data_page()], below(2000), VRING_DESC_F_WRITE } };

		if (below(200) == 0)
			p[0].len = below(12);
		chain(d, queue, p, 1 + below(2));
	}
}

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

/* A datagram for the other network, as if it could be reached through the gateway. */
static void datagram(uint8_t *frame)
{
	static const uint8_t start[] = { 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168 };
	uint16_t sum;

	memcpy(frame, gateway, 6);
	memcpy(frame + 12, start, sizeof(start));
	frame[28] = below(2) ? victim[2] : (uint8_t)below(256);	/* or as if it came from there */
	frame[29] = (uint8_t)below(256);
	memcpy(frame + 30, victim, 4);
	sum = ip_sum(frame + 14);
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

/* An answer that nobody asked for: the victim's address is here. */
static void arp(uint8_t *frame)
{
	static const uint8_t start[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 };

	memset(frame, 0xff, 6);
	memcpy(frame + 12, start, sizeof(start));
	memcpy(frame + 22, frame + 6, 6);
	memcpy(frame + 28, victim, 4);
}

static void send_frames(struct device *d, unsigned queue)
{
	static const uint16_t types[] = { 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x8809, 0x888e, 0x88b5 };

	for (unsigned i = below(16); i > 0; i--) {
		unsigned page = data_page();
		uint8_t *frame = pages + page * PAGE + HEADER;
		struct piece p[] = { { physical[page], HEADER, 0 },
				     { physical[page] + HEADER, below(3) ? 60 + below(1454) : below(PAGE - HEADER), 0 } };
		uint16_t type = below(20) ? types[below(8)] : (uint16_t)rnd();

		if (below(3))		/* else a header of nonsense */
			memset(frame - HEADER, 0, HEADER);
		memcpy(frame, "\xff\xff\xff\xff\xff\xff", 6);
		memcpy(frame + 6, below(2) ? d->mac : gateway, 6);
		memcpy(frame + 12, (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type, 0x45 }, 3);
		if (below(3) == 0)
			datagram(frame);
		else if (below(3) == 0)
			arp(frame);
		else if (below(3) == 0)
			memcpy(frame, (uint8_t[]){ 1, 0x80, 0xc2, 0, 0, (uint8_t)below(16) }, 6);
		chain(d, queue, p, 2);
	}
}

static uint8_t *put_le(uint8_t *at, uint32_t v, unsigned bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		*at++ = (uint8_t)v;
	return at;
}

/* struct virtio_net_rss_config, mostly with pairs that there are. How long it is. */
static uint8_t rss_config(uint8_t *body)
{
	unsigned entries = 1u << below(4);
	uint8_t *at = put_le(body, below(8) ? below(64) : (uint32_t)rnd(), 4);

	at = put_le(at, below(16) ? entries - 1 : (uint32_t)rnd(), 2);
	at = put_le(at, below(2), 2);
	for (unsigned i = 0; i < entries; i++)
		at = put_le(at, below(100) ? below(2) : (uint32_t)rnd(), 2);
	at = put_le(at, below(16) ? 1 + below(2) : (uint32_t)rnd(), 2);
	*at++ = below(16) ? 40 : (uint8_t)rnd();
	return (uint8_t)(at + 40 - body);	/* the key is what lies there */
}

/* A command of the right length, mostly, with random content. */
static void command(struct device *d)
{
	static const struct {
		uint8_t class, commands, bytes;
	} known_ones[] = {
		{ VIRTIO_NET_CTRL_RX, 6, 1 }, { VIRTIO_NET_CTRL_MAC, 1, 8 + 6 * 4 }, { VIRTIO_NET_CTRL_MAC, 2, 6 },
		{ VIRTIO_NET_CTRL_VLAN, 2, 2 }, { VIRTIO_NET_CTRL_ANNOUNCE, 1, 0 },
		{ VIRTIO_NET_CTRL_MQ, 1, 2 }, { VIRTIO_NET_CTRL_MQ, 1, 2 }, { VIRTIO_NET_CTRL_GUEST_OFFLOADS, 1, 8 },
	};
	unsigned page = data_page(), kind = below(8);
	uint8_t *body = pages + page * PAGE;
	bool rss = below(6) == 0;
	struct piece p[] = { { physical[page], 2, 0 },
			     { physical[page] + 2, known_ones[kind].bytes, 0 },
			     { physical[data_page()], 1, VRING_DESC_F_WRITE } };

	body[0] = known_ones[kind].class;
	body[1] = (uint8_t)below(known_ones[kind].commands);
	for (unsigned i = 2; i < 64; i++)
		body[i] = (uint8_t)(below(2) ? below(4) : rnd());
	if (body[0] == VIRTIO_NET_CTRL_MQ)
		body[3] = 0;
	if (body[0] == VIRTIO_NET_CTRL_MAC && body[1] == 0)
		memcpy(body + 2, (uint8_t[]){ 2, 0, 0, 0 }, 4);
	if (rss) {
		body[0] = VIRTIO_NET_CTRL_MQ;
		body[1] = VIRTIO_NET_CTRL_MQ_RSS_CONFIG;
		p[1].len = rss_config(body + 2);
	}
	if (below(8) == 0)
		p[1].len = below(PAGE);
	if (below(16) == 0)
		p[below(3)].flags ^= VRING_DESC_F_WRITE;
	chain(d, shared->ctrl[d->slot], p, 3);
}

static void be_a_driver(struct device *d)
{
	unsigned ctrl = shared->ctrl[d->slot];

	for (unsigned queue = 0; queue < ctrl; queue += 2) {
		put_buffers(d, queue);
		send_frames(d, queue + 1);
	}
	command(d);
	for (unsigned queue = 0; queue <= ctrl; queue++) {
		uint16_t *seen = &shared->used[d->slot][queue], now = used_of(d, queue)->idx;
		uint16_t more = (uint16_t)(now - *seen);

		write16(d, NOTIFY + queue * 4, 0);
		if (more <= RING)	/* else the ring was overwritten */
			__atomic_fetch_add(&shared->came_back[d->slot][queue == ctrl ? 2 : queue % 2], more,
					   __ATOMIC_RELAXED);
		*seen = now;
	}
}

/* What is all wrong */

/* An interrupt with any message, but for vectors by which it would end its own kernel. */
static void poke_vector(struct device *d)
{
	unsigned at = below((unsigned)d->msix_len) & ~3u;

	*(volatile uint32_t *)(d->msix + at) = at % 16 == 8 ? 0x30 + below(0xa0) : (uint32_t)rnd();
}

static void poke(struct device *d)
{
	unsigned at = below(PARTS - 8);

	switch (below(8)) {
	case 0:
		write32(d, below(16) * 4, (uint32_t)rnd());
		break;
	case 1:
		d->bar[at] = (uint8_t)rnd();
		break;
	case 2:
		(void)read32(d, at & ~3u);
		break;
	case 3:
		*(volatile uint64_t *)(d->bar + (at & ~7u)) = rnd();
		break;
	case 4:
		poke_vector(d);
		break;
	case 5:
		(void)*(volatile uint32_t *)(d->msix + (below((unsigned)d->msix_len) & ~3u));
		break;
	case 6:
		d->bar[20] = (uint8_t)rnd();
		break;
	default:
		write16(d, NOTIFY + below(40) * 4, (uint16_t)rnd());
	}
}

/* Anything to the configuration space; the BARs come back to where this program has them mapped. */
static void poke_config(struct device *d)
{
	unsigned len = 1u << below(3);

	config_write(d, below(256) & ~(len - 1), (uint32_t)rnd(), len);
	(void)config_read(d, below(256) & ~(len - 1), len);
	if (below(4) == 0)
		config_write(d, 0x10, (uint32_t)rnd(), 4);
	config_write(d, 0x10, d->bar_at, 4);
	config_write(d, 0x14, 0, 4);
	config_write(d, 0x18, d->msix_at, 4);
	config_write(d, 0x1c, 0, 4);
	config_write(d, 4, 6, 2);
}

/* The ports by which ACPI and PCI tell of slots. Not those by which the guest would end itself. */
static void poke_ports(void)
{
	unsigned where = 0x80000000u | ((uint32_t)rnd() & 0xfffffc);

	switch (below(6)) {
	case 0:
		outl((uint32_t)rnd(), 0xae08);		/* slots to throw out */
		break;
	case 1:
		outl((uint32_t)(rnd() | rnd()), (unsigned short)(0xae00 + below(12)));
		break;
	case 2:
		outb((uint8_t)rnd(), (unsigned short)(0xae00 + below(12)));
		(void)inl((unsigned short)(0xae00 + below(3) * 4));
		break;
	case 3:
		outw((uint16_t)rnd(), (unsigned short)(0x620 + below(4)));	/* general events */
		break;
	case 4:
		outb((uint8_t)rnd(), (unsigned short)(0x600 + below(4)));	/* the button's */
		break;
	default:
		outl(where, 0xcf8);
		if (where & 0xff0700)			/* where nothing is, or should be */
			outb((uint8_t)rnd(), (unsigned short)(0xcfc + below(4)));
		else
			(void)inl(0xcfc);
	}
}

static void do_nonsense(struct device *d)
{
	for (unsigned queue = 0; queue < QUEUES; queue++)
		if (below(4) == 0)
			fill_ring(d, queue);
	for (unsigned i = 0; i < 8; i++)
		write16(d, NOTIFY + below(QUEUES) * 4, 0);
	if (below(2) == 0)
		poke(d);
	if (below(8) == 0)
		poke_config(d);
	if (below(4) == 0)
		poke_ports();
}

static void round_once(struct device *d)
{
	if (below(16) == 0)
		drive(d);
	if (below(32) == 0)
		fill_pages();
	if (d->type == NET && below(4))
		be_a_driver(d);
	else
		do_nonsense(d);
	if (below(400) == 0) {			/* NICs that are new */
		write_text("/sys/bus/pci", "rescan", "1");
		find_devices();
	}
}

/* The kernel took the device away, which was thrown out, with its mapping. */
static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(faulted, 1);
}

static bool all_have_worked(void)
{
	for (unsigned i = 0; i < n_devices; i++)
		for (unsigned kind = 0; kind < 3 && devices[i].type == NET; kind++)
			if (shared->came_back[devices[i].slot][kind] <= ENOUGH)
				return false;
	return true;
}

static void work(time_t end, int seconds)
{
	static unsigned which;			/* is to survive a fault */

	if (sigsetjmp(faulted, 1) && n_devices)
		device_drop(which);
	while (n_devices && (time(NULL) < end || (time(NULL) < end + 3 * seconds && !all_have_worked()))) {
		which = below(n_devices);
		round_once(&devices[which]);
		__atomic_fetch_add(&shared->rounds, 1, __ATOMIC_RELAXED);
	}
	exit(0);
}

static void prepare(char **argv)
{
	unsigned m[6] = { 0 };

	chance_start(strtoull(argv[2], NULL, 0));
	sscanf(argv[3], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]);
	for (unsigned i = 0; i < 6; i++)
		gateway[i] = (uint8_t)m[i];
	sscanf(argv[4], "%hhu.%hhu.%hhu.%hhu", &victim[0], &victim[1], &victim[2], &victim[3]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	find_pages();
	fill_pages();
	find_devices();
	(void)iopl(3);
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	time_t end;

	if (argc != 5) {
		puts("usage: evil_driver SECONDS SEED GATEWAY_MAC ADDRESS");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("evil_driver: seed %s\n", argv[2]);
	prepare(argv);
	printf("evil_driver: %u devices\n", n_devices);
	if (!n_devices)
		return 1;
	end = time(NULL) + atoi(argv[1]);
	for (long i = 0; i < cpus && i < CPUS_MAX; i++) {
		chance_start(rnd());
		if (fork() == 0)
			work(end, atoi(argv[1]));
	}
	while (wait(NULL) > 0)
		;
	for (unsigned i = 0; i < SLOTS; i++)
		if (shared->came_back[i][0])
			printf("evil_driver: slot %u gave back %u rx, %u tx, %u commands\n", i, shared->came_back[i][0],
			       shared->came_back[i][1], shared->came_back[i][2]);
	printf("evil_driver: %u rounds done\n", shared->rounds);
	return 0;
}
