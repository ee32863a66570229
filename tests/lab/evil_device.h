/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evil_device.h -- what evil_driver has in hand: chance, pages whose addresses it knows, and the guest's virtio devices */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS 32
#define QUEUES 6			/* of each device: more are not tried */
#define RING_PAGES (SLOTS * QUEUES)
#define PAGES (RING_PAGES + 64)
#define PAGE 4096u
#define DEVICE 0x2000			/* of netd-vmm's BAR 0, whose first page is the common structure */
#define NOTIFY 0x3000
#define PARTS 0x4000
#define NET 0x1041			/* PCI's device number */

struct device {
	char path[300];
	unsigned slot, type;
	uint8_t mac[6];			/* of a NIC */
	int config;
	volatile uint8_t *bar, *msix;
	size_t msix_len;
	uint32_t bar_at, msix_at;	/* where the kernel had put them */
};

extern struct device devices[SLOTS];
extern unsigned n_devices;
extern uint8_t *pages;			/* those of rings, then those for data; processes share them */
extern uint64_t physical[PAGES];

void chance_start(uint64_t seed);
uint64_t rnd(void);
unsigned below(unsigned n);

/* Ends the program if the kernel does not say where they are. */
void find_pages(void);
/* Takes those that are not known yet from their drivers. */
void find_devices(void);
void device_drop(unsigned index);

uint32_t config_read(const struct device *d, unsigned at, unsigned len);
void config_write(const struct device *d, unsigned at, uint32_t v, unsigned len);
void write_text(const char *dir, const char *name, const char *text);

/* Where anything may be done to: a page of ours, or no RAM at all. */
uint64_t address(void);
/* Of a buffer there: it stays inside its page, mostly. */
uint32_t length(uint64_t at);

static inline void write16(struct device *d, unsigned at, uint16_t v)
{
	*(volatile uint16_t *)(d->bar + at) = v;
}

static inline void write32(struct device *d, unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(d->bar + at) = v;
}

static inline uint32_t read32(struct device *d, unsigned at)
{
	return *(volatile uint32_t *)(d->bar + at);
}
