/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int code_of(enum nd_err kind)
{
	switch (kind) {
	case ND_ERR_NO_NETWORK:
	case ND_ERR_NO_DOMAIN:
	case ND_ERR_NO_NETWORK_PORT:
	case ND_ERR_NO_NETWORK_METADATA:
	case ND_ERR_NO_DOMAIN_METADATA:
		return ENOENT;
	case ND_ERR_OPERATION_DENIED:
	case ND_ERR_ACCESS_DENIED:
		return EPERM;
	default:
		return EINVAL;
	}
}

int nd_error_set(struct nd_error *err, enum nd_err kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code_of(kind);
	err->kind = kind;
	err->code = code_of(kind);
	err->domain = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -err->code;
}

int nd_error_sys(struct nd_error *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	if (!err)
		return -code;
	err->kind = ND_ERR_SYSTEM;
	err->code = code;
	err->domain = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(code));
	return -code;
}

int nd_error_nomem(struct nd_error *err)
{
	return nd_error_sys(err, ENOMEM, "out of memory");
}

int nd_error_prefix(struct nd_error *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	if (!err)
		return -EINVAL;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %.*s",
		 (int)(sizeof(old) - 1), old);
	return -err->code;
}

const char *nd_err_prefix(enum nd_err kind)
{
	switch (kind) {
	case ND_ERR_INTERNAL:			return "internal error: ";
	case ND_ERR_NO_SUPPORT:
		return "this function is not supported by the connection driver: ";
	case ND_ERR_NO_CONNECT:			return "no connection driver available for ";
	case ND_ERR_OPERATION_FAILED:		return "operation failed: ";
	case ND_ERR_XML:			return "XML error: ";
	case ND_ERR_OPERATION_DENIED:		return "operation forbidden: ";
	case ND_ERR_NO_DOMAIN:			return "Domain not found: ";
	case ND_ERR_NO_NETWORK:			return "Network not found: ";
	case ND_ERR_NO_NWFILTER:		return "Network filter not found: ";
	case ND_ERR_NO_NWFILTER_BINDING:	return "Network filter binding not found: ";
	case ND_ERR_INVALID_MAC:		return "invalid MAC address: ";
	case ND_ERR_AUTH_FAILED:		return "authentication failed: ";
	case ND_ERR_AUTH_CANCELLED:		return "authentication cancelled: ";
	case ND_ERR_AUTH_UNAVAILABLE:		return "authentication unavailable: ";
	case ND_ERR_OPERATION_INVALID:		return "Requested operation is not valid: ";
	case ND_ERR_CONFIG_UNSUPPORTED:		return "unsupported configuration: ";
	case ND_ERR_OPERATION_TIMEOUT:		return "Timed out during operation: ";
	case ND_ERR_ARGUMENT_UNSUPPORTED:	return "argument unsupported: ";
	case ND_ERR_OVERFLOW:			return "numerical overflow: ";
	case ND_ERR_OPERATION_UNSUPPORTED:	return "Operation not supported: ";
	case ND_ERR_RESOURCE_BUSY:		return "resource busy: ";
	case ND_ERR_ACCESS_DENIED:		return "access denied: ";
	case ND_ERR_XML_INVALID_SCHEMA:
		return "XML document failed to validate against schema: ";
	case ND_ERR_DEVICE_MISSING:		return "device not found: ";
	case ND_ERR_NO_NETWORK_PORT:		return "network port not found: ";
	case ND_ERR_NO_DOMAIN_METADATA:
	case ND_ERR_NO_NETWORK_METADATA:	return "metadata not found: ";
	default:				return "";
	}
}

void nd_error_format(const struct nd_error *err, char *buf, unsigned long size)
{
	snprintf(buf, size, "%s%s", nd_err_prefix(err->kind), err->text);
}
