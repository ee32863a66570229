/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_tap.h -- a real TAP for tests, and the one conversation that every host can have: ARP */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_HOST "10.9.8.1"

/* Needs a network namespace where one may. several: one of several queues. */
int tap_new(const char *name, bool several);
/* Up, with the address TAP_HOST. */
void tap_up(const char *name);
void tap_down(const char *name);
/* The frame, with the virtio-net header, by which mac at 10.9.8.2 asks for TAP_HOST: its length. */
size_t arp_request(uint8_t *buf, const uint8_t *mac);
/* It is the host's answer to mac, with the virtio-net header. */
bool arp_is_answer(const uint8_t *frame, size_t len, const uint8_t *mac);
