/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evil_device.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct device devices[SLOTS];
unsigned n_devices;
uint8_t *pages;
uint64_t physical[PAGES];

static uint64_t state;

void chance_start(uint64_t seed)
{
	state = seed | 1;
}

uint64_t rnd(void)		/* xorshift64* */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

unsigned below(unsigned n)
{
	return (unsigned)(rnd() >> 33) % n;
}

void write_text(const char *dir, const char *name, const char *text)
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

uint32_t config_read(const struct device *d, unsigned at, unsigned len)
{
	uint32_t v = 0;

	(void)!pread(d->config, &v, len, at);
	return v;
}

void config_write(const struct device *d, unsigned at, uint32_t v, unsigned len)
{
	(void)!pwrite(d->config, &v, len, at);
}

static bool known(unsigned slot)
{
	for (unsigned i = 0; i < n_devices; i++)
		if (devices[i].slot == slot)
			return true;
	return false;
}

/* "0000:00:SS.F" */
static void device_open(const char *name)
{
	struct device *d = &devices[n_devices];
	char path[400];
	size_t len;

	d->slot = (unsigned)strtoul(name + 8, NULL, 16) % SLOTS;
	if (n_devices == SLOTS || known(d->slot))
		return;
	snprintf(d->path, sizeof(d->path), "/sys/bus/pci/devices/%s", name);
	snprintf(path, sizeof(path), "%s/config", d->path);
	d->config = open(path, O_RDWR);
	if (d->config < 0)
		return;
	d->type = config_read(d, 2, 2);
	snprintf(path, sizeof(path), "%s/driver", d->path);
	write_text(path, "unbind", name);
	write_text(d->path, "enable", "1");
	config_write(d, 4, 6, 2);
	d->bar_at = config_read(d, 0x10, 4);
	d->msix_at = config_read(d, 0x18, 4);
	d->bar = map(d->path, "resource0", &len);
	d->msix = map(d->path, "resource2", &d->msix_len);
	for (unsigned i = 0; i < 6 && d->bar && d->type == NET; i++)
		d->mac[i] = d->bar[DEVICE + i];
	if (config_read(d, 0, 2) == 0x1af4 && d->bar && d->msix && len >= PARTS)
		n_devices++;
	else
		close(d->config);
}

void find_devices(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			device_open(e->d_name);
}

void device_drop(unsigned index)
{
	close(devices[index].config);
	devices[index] = devices[--n_devices];
}

void find_pages(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
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

uint64_t address(void)
{
	static const uint64_t nowhere[] = { 0xfee00000, 0xfffff000, 0xffffffffffffff00ull, 0xd0000000,
					    1ull << 40, 1ull << 63, 0xc0000000 };

	if (below(20) == 0)
		return nowhere[below(7)] + below(64);
	return physical[below(PAGES)] + (below(2) ? 0 : below(PAGE - 512));
}

uint32_t length(uint64_t at)
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
