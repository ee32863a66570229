/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp4_scene.h -- a DHCPv4 service of one network, between tests that are its clients and hear what it says
 *
 * Leases live in memory, time is what the test says. Each test starts with 192.168.50.10 to .19 in the pool.
 */
#pragma once
#include <check.h>

#include "dhcp/dhcp4_service.h"
#include "dhcp4_peer.h"

#define SERVER "192.168.50.1"

extern struct dhcp_pool pools[1];
extern struct dhcp_reservation hosts[4];
extern struct dhcp_config config;
extern struct dhcp4_service *service;
extern struct peer_reply reply;
extern uint64_t now_ms;
extern char events[1024];

void start(void);
void add_host(const char *mac, const char *id, const char *name, const char *ip);
/* Sends it; true when there was an answer. */
bool send_frame(const struct peer_request *r);
bool send_request(struct peer_request *r);
bool discover(unsigned client);
/* A REQUEST in SELECTING for what reply offers. */
void begin_selecting(struct peer_request *r, unsigned client, struct in_addr address);
/* DISCOVER and REQUEST; the address that was acknowledged. */
struct in_addr acquire_with(unsigned client, uint8_t code, const char *value);
struct in_addr acquire(unsigned client);
bool renew(unsigned client, struct in_addr address);
bool init_reboot(unsigned client, struct in_addr address);
void release(unsigned client, struct in_addr address);
void decline(unsigned client, struct in_addr address);
bool in_pool(struct in_addr a);
void assert_ip(struct in_addr a, const char *text);

/* Runs a file's tests; returns the exit status of the program. */
int scene_run(const char *name, const TTest *const tests[], size_t n);
