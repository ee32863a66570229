/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h -- why a call failed, in a sentence for the person who made it
 *
 * The lowest function that knows the value writes the sentence; callers add where it was
 * with nd_error_prefix(). A NULL err is allowed everywhere and drops the text.
 */
#pragma once
#include <stdarg.h>

/*
 * What sort of failure. The numbers are those that libvirt's clients see on the wire
 * (virErrorNumber), so that no table translates them.
 */
enum nd_err {
	ND_ERR_OK = 0,
	ND_ERR_INTERNAL = 1,
	ND_ERR_NO_SUPPORT = 3,
	ND_ERR_NO_CONNECT = 5,
	ND_ERR_INVALID_ARG = 8,
	ND_ERR_OPERATION_FAILED = 9,
	ND_ERR_NO_NAME = 21,
	ND_ERR_XML = 27,
	ND_ERR_OPERATION_DENIED = 29,
	ND_ERR_XML_DETAIL = 35,
	ND_ERR_SYSTEM = 38,
	ND_ERR_RPC = 39,
	ND_ERR_NO_DOMAIN = 42,
	ND_ERR_NO_NETWORK = 43,
	ND_ERR_INVALID_MAC = 44,
	ND_ERR_AUTH_FAILED = 45,
	ND_ERR_OPERATION_INVALID = 55,
	ND_ERR_NO_NWFILTER = 62,
	ND_ERR_CONFIG_UNSUPPORTED = 67,
	ND_ERR_OPERATION_TIMEOUT = 68,
	ND_ERR_ARGUMENT_UNSUPPORTED = 74,
	ND_ERR_AUTH_CANCELLED = 79,
	ND_ERR_NO_DOMAIN_METADATA = 80,
	ND_ERR_OVERFLOW = 82,
	ND_ERR_OPERATION_UNSUPPORTED = 84,
	ND_ERR_RESOURCE_BUSY = 87,
	ND_ERR_ACCESS_DENIED = 88,
	ND_ERR_XML_INVALID_SCHEMA = 92,
	ND_ERR_AUTH_UNAVAILABLE = 94,
	ND_ERR_DEVICE_MISSING = 99,
	ND_ERR_NO_NWFILTER_BINDING = 101,
	ND_ERR_NETWORK_PORT_EXIST = 106,
	ND_ERR_NO_NETWORK_PORT = 107,
	ND_ERR_NO_NETWORK_METADATA = 111,
};

struct nd_error {
	enum nd_err kind;	/* ND_ERR_OK: nothing failed */
	int code;		/* errno value, EINVAL where no system call failed */
	int domain;		/* libvirt's VIR_FROM_*, where it is not that of the call; or 0 */
	char text[1024];	/* one sentence without the class' prefix, no newline at the end */
};

/* Sets the sentence; returns -EINVAL (for ND_ERR_NO_* lookups -ENOENT). */
int nd_error_set(struct nd_error *err, enum nd_err kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets ND_ERR_SYSTEM and "TEXT: strerror(code)"; code is a positive errno. Returns -code. */
int nd_error_sys(struct nd_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets ND_ERR_SYSTEM for ENOMEM. Returns -ENOMEM. */
int nd_error_nomem(struct nd_error *err);

/* Puts "CONTEXT: " before the sentence. Returns -err->code, so it can end a function. */
int nd_error_prefix(struct nd_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The prefix that libvirt gives this kind of message ("XML error: "), or "". Static storage. */
const char *nd_err_prefix(enum nd_err kind);

/* Writes the whole message that a client sees: the kind's prefix and the sentence. */
void nd_error_format(const struct nd_error *err, char *buf, unsigned long size);
