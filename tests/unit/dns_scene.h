/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_scene.h -- the whole DNS server, between clients and upstreams that are sockets of the test
 *
 * Time is what the test says; loopback delivers within the call that sends, so nothing here waits. Every test starts with
 * set_up(), changes `config` if it likes, then calls start().
 */
#pragma once
#include <check.h>
#include <netinet/in.h>

#include "dns/message.h"
#include "dns/server.h"

#define UPSTREAMS 3

struct message {
	uint8_t m[4096];
	size_t len;
	struct sockaddr_in from;
	uint16_t id, flags, n_answers, n_additional, type;
	struct dns_name name;
	size_t question_end;
	int stream;	/* -1: it came by UDP */
};

extern struct dns_config config;
extern struct dns_server *server;
extern struct nd_error err;
extern uint64_t now;
extern struct sockaddr_in server_udp, server_tcp;
extern int upstreams[UPSTREAMS], upstream_tcp[UPSTREAMS];
extern struct dns_upstream where[UPSTREAMS];
extern struct message reply;	/* the last one that a client got */
extern struct message asked;	/* the last one that an upstream got */

/* A socket bound to an address, port chosen by the kernel unless given; where it is in *at. */
int bound(int type, const char *address, uint16_t port, struct sockaddr_in *at);
struct nd_prefix prefix(const char *address, uint8_t len);
void host_add(const char *address, const char *name);
void rule_add(const char *domain, const struct dns_upstream *to);
void upstream_use(int i);
void start(void);
void configure(void);
/* As long as there is something to do at this moment. */
void dispatch(void);
/* Lets time pass as the program's loop would: waking when the server asked for it. */
void pass(uint64_t ms);
struct dns_counters counters(void);
int client(const char *address);
size_t query(uint8_t *buf, uint16_t id, const char *name, uint16_t type);
void ask(int fd, uint16_t id, const char *name, uint16_t type);
int connect_tcp(const char *address);
void ask_tcp(int fd, uint16_t id, const char *name);
void message_read(struct message *got);
bool take(int fd, struct message *got);
/* The client has a reply to this id with this rcode. */
void got_reply(int fd, uint16_t id, unsigned rcode);
void got_address(int fd, uint16_t id, const char *address);
void got_nothing(int fd);
void answer_from(int fd, const struct message *q, unsigned flags, const char *address);
void upstream_got(int i, const char *name);
void upstream_idle(int i);
void upstream_answers(int i, const char *address);
/* Accepts the connection that the server made to an upstream and reads the question. */
void upstream_got_tcp(int i, const char *name);

/* A file's tests, each between set_up() and tear_down(). Returns the exit status of the program. */
int scene_run(const char *name, void (*add_tests)(TCase *t));
