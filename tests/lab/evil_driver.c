/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evil_driver.c -- a guest's driver that wants to harm the host
 *
 *	evil_driver SECONDS [SEED]
 *
 * Runs as root in a guest: takes every virtio device from the kernel's driver, maps its BARs and does anything to
 * them: resets at any time, queues at any address and of any size, descriptors that loop, lie and point
 * nowhere, commands and requests of random bytes, BARs that move, MSI-X tables of nonsense. Half of it is
 * nearly right, since what is all wrong is refused at the door. Addresses in RAM are only those of its own
 * pages, so that the guest itself lives to say how many rounds it did.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGES 64
#define PAGE 4096u
#define DEVICES_MAX 32
#define COMMON 0			/* of netd-vmm's BAR 0 */
#define DEVICE 0x2000
#define NOTIFY 0x3000
#define PARTS 0x4000

struct device {
	char path[300];
	int config;
	volatile uint8_t *bar, *msix;
	size_t msix_len;
	uint32_t bar_at, msix_at;	/* where the kernel had put them */
};

static struct device devices[DEVICES_MAX];
static unsigned n_devices;
static uint8_t *pages;
static uint64_t physical[PAGES];

static uint64_t state;

static uint64_t rnd(void)		/* xorshift64* */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
	return (unsigned)(rnd() >> 33) % n;
}

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd >= 0) {
		(void)!write(fd, text, strlen(text));
		close(fd);
	}
}

static void *map(const char *dir, const char *name, size_t *len_out)
{
	char path[400];
	struct stat st;
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	*len_out = (size_t)st.st_size;
	p = mmap(NULL, *len_out, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static uint32_t config_read(const struct device *d, unsigned at, unsigned len)
{
	uint32_t v = 0;

	(void)!pread(d->config, &v, len, at);
	return v;
}

static void config_write(const struct device *d, unsigned at, uint32_t v, unsigned len)
{
	(void)!pwrite(d->config, &v, len, at);
}

static void device_open(const char *name)
{
	struct device *d = &devices[n_devices];
	char path[400];
	size_t len;

	snprintf(d->path, sizeof(d->path), "/sys/bus/pci/devices/%s", name);
	snprintf(path, sizeof(path), "%s/config", d->path);
	d->config = open(path, O_RDWR);
	if (d->config < 0 || (config_read(d, 0, 4) & 0xffff) != 0x1af4 || n_devices == DEVICES_MAX - 1)
		return;
	snprintf(path, sizeof(path), "%s/driver", d->path);
	write_text(path, "unbind", name);
	write_text(d->path, "enable", "1");
	config_write(d, 4, 6, 2);
	d->bar_at = config_read(d, 0x10, 4);
	d->msix_at = config_read(d, 0x18, 4);
	d->bar = map(d->path, "resource0", &len);
	d->msix = map(d->path, "resource2", &d->msix_len);
	if (d->bar && d->msix && len >= PARTS)
		n_devices++;
}

static void find_devices(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			device_open(e->d_name);
}

static void find_pages(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	memset(pages, 1, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t entry = 0;

		(void)!pread(fd, &entry, 8, (off_t)(((uintptr_t)pages / PAGE + i) * 8));
		physical[i] = (entry & ((1ull << 55) - 1)) * PAGE;
		if (!physical[i]) {
			puts("evil_driver: the kernel does not say where memory is");
			exit(2);
		}
	}
	close(fd);
}

/* Where anything may be done to: a page of ours, or no RAM at all. */
static uint64_t address(void)
{
	static const uint64_t nowhere[] = { 0xfee00000, 0xfffff000, 0xffffffffffffff00ull, 0xd0000000,
					    1ull << 40, 1ull << 63, 0xc0000000 };

	if (below(20) == 0)
		return nowhere[below(7)] + below(64);
	return physical[below(PAGES)] + (below(2) ? 0 : below(PAGE - 512));
}

/* From an address of ours a buffer stays inside its page, mostly. */
static uint32_t length(uint64_t at)
{
	switch (below(24)) {
	case 0:
		return 0;
	case 1:
		return at >> 32 ? (uint32_t)rnd() : 16;
	case 2:
		return 1;
	}
	return 1 + below(PAGE - (uint32_t)(at % PAGE));
}

static void write16(struct device *d, unsigned at, uint16_t v)
{
	*(volatile uint16_t *)(d->bar + at) = v;
}

static void write32(struct device *d, unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(d->bar + at) = v;
}

static uint32_t read32(struct device *d, unsigned at)
{
	return *(volatile uint32_t *)(d->bar + at);
}

/* A ring in one page of ours: descriptors, at 0x800 avail, at 0xc00 used. */
static void set_queue(struct device *d, unsigned queue)
{
	uint64_t at = below(10) ? physical[queue % PAGES] : address();
	uint16_t size = below(8) ? 1u << below(7) : (uint16_t)rnd();

	write16(d, 22, (uint16_t)queue);
	write16(d, 24, size);
	write16(d, 26, (uint16_t)below(24));
	write32(d, 32, (uint32_t)at);
	write32(d, 36, (uint32_t)(at >> 32));
	write32(d, 40, (uint32_t)at + 0x800);
	write32(d, 44, (uint32_t)(at >> 32));
	write32(d, 48, (uint32_t)at + 0xc00);
	write32(d, 52, (uint32_t)(at >> 32));
	write16(d, 28, 1);
}

static void drive(struct device *d)
{
	uint32_t low;

	d->bar[20] = 0;
	for (unsigned i = 0; d->bar[20] && i < 1000; i++)
		;
	d->bar[20] = 3;
	write32(d, 0, 0);
	low = read32(d, 4);
	write32(d, 8, 0);
	write32(d, 12, below(4) ? low & (uint32_t)(rnd() | rnd()) : (uint32_t)rnd());
	write32(d, 8, 1);
	write32(d, 12, 1);
	d->bar[20] = 0xb;
	for (unsigned q = 0; q < 6; q++)
		set_queue(d, q);
	d->bar[20] = 0xf;
}

/* Chains of buffers, some with what a command or a request begins with. */
static void fill_ring(unsigned queue)
{
	uint8_t *page = pages + queue * PAGE;
	struct vring_desc *desc = (struct vring_desc *)page;
	struct vring_avail *avail = (struct vring_avail *)(page + 0x800);
	unsigned writes_from = 1 + below(4);

	for (unsigned i = 0; i < 64; i++) {
		uint64_t at = address();

		desc[i] = (struct vring_desc){ .addr = at, .len = length(at), .next = (i + 1) % 64 };
		desc[i].flags = (i % 4 < 3 ? VRING_DESC_F_NEXT : 0) |
				(i % 4 >= writes_from ? VRING_DESC_F_WRITE : 0);
		if (below(24) == 0)
			desc[i].flags = (uint16_t)rnd() & 7;
		if (below(40) == 0)
			desc[i].next = (uint16_t)rnd();
		if (i % 4 == 0 && below(2))
			desc[i].len = 16;
	}
	for (unsigned i = 0; i < 64; i++)
		avail->ring[i] = (uint16_t)(below(20) ? below(16) * 4 : rnd());
	avail->flags = (uint16_t)below(2);
	avail->idx += (uint16_t)(below(16) ? below(16) : rnd());
}

static void fill_pages(void)
{
	for (unsigned i = 8; i < PAGES; i++) {
		uint8_t *p = pages + i * PAGE;

		for (unsigned k = 0; k < 64; k++)
			p[below(PAGE)] = (uint8_t)rnd();
		/* a request's type and sector; a command's class; a header of a frame */
		memset(p, 0, 16);
		p[0] = (uint8_t)below(16);
		p[1] = (uint8_t)(below(2) ? 0 : below(4));
		p[8] = (uint8_t)rnd();
	}
}

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

static void round_once(void)
{
	struct device *d = &devices[below(n_devices)];

	if (below(8) == 0)
		drive(d);
	for (unsigned queue = 0; queue < 6; queue++)
		if (below(3) == 0)
			fill_ring(queue);
	if (below(16) == 0)
		fill_pages();
	for (unsigned i = 0; i < 8; i++)
		write16(d, NOTIFY + below(6) * 4, 0);
	if (below(4) == 0)
		poke(d);
	if (below(16) == 0)
		poke_config(d);
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	unsigned rounds = 0;

	state = argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : (uint64_t)time(NULL) * 2 + 1;
	printf("evil_driver: seed %llu\n", (unsigned long long)state);
	find_pages();
	find_devices();
	printf("evil_driver: %u devices\n", n_devices);
	if (!n_devices)
		return 1;
	fill_pages();
	for (; time(NULL) < end; rounds++)
		round_once();
	for (unsigned i = 0; i < n_devices; i++)
		devices[i].bar[20] = 0;
	printf("evil_driver: %u rounds done\n", rounds);
	return 0;
}
