/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_nic_driver.c -- how a NIC's frames are carried: <driver>, <backend>, <tune> and <coalesce> */
#include "netd/model/domain_elements.h"

/* What QEMU takes. */
enum { QUEUE_SIZE_MIN = 256, QUEUE_SIZE_MAX = 1024 };

DOM_ONLY(backend_types, "default");

static const char *const drivers[] = { NULL, "qemu", "vhost" };
static const char *const switches[] = { NULL, "on", "off" };
static const char *const tx_modes[] = { NULL, "iothread", "timer" };

#define NIC(field_) XML_FIELD(struct dom_nic, field_)
#define SWITCH(name_, field_) { .name = name_, .kind = XML_ENUM, NIC(field_), XML_NAMES(switches) }

static const struct xml_attr driver_attrs[] = {
	{ .name = "name", .kind = XML_ENUM, NIC(driver), XML_NAMES(drivers),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "txmode", .kind = XML_ENUM, NIC(tx_mode), XML_NAMES(tx_modes),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	SWITCH("ioeventfd", ioeventfd),
	SWITCH("event_idx", event_idx),
	{ .name = "queues", .kind = XML_UINT, NIC(queues), .min = 1, .max = DOM_QUEUES_MAX,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "rx_queue_size", .kind = XML_UINT, NIC(rx_queue_size), .min = QUEUE_SIZE_MIN,
	  .max = QUEUE_SIZE_MAX, .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "tx_queue_size", .kind = XML_UINT, NIC(tx_queue_size), .min = QUEUE_SIZE_MIN,
	  .max = QUEUE_SIZE_MAX, .err = ND_ERR_CONFIG_UNSUPPORTED },
	SWITCH("rss", rss),
	SWITCH("rss_hash_report", rss_hash_report),
};

static const struct xml_attr host_attrs[] = {
	SWITCH("csum", host.csum), SWITCH("gso", host.gso), SWITCH("tso4", host.tso4),
	SWITCH("tso6", host.tso6), SWITCH("ecn", host.ecn), SWITCH("ufo", host.ufo),
	SWITCH("mrg_rxbuf", host.mrg_rxbuf),
};

static const struct xml_elem host_elem = {
	.name = "host", .size = sizeof(struct dom_nic), XML_ATTRS(host_attrs),
};

static const struct xml_attr guest_attrs[] = {
	SWITCH("csum", guest.csum), SWITCH("tso4", guest.tso4), SWITCH("tso6", guest.tso6),
	SWITCH("ecn", guest.ecn), SWITCH("ufo", guest.ufo),
};

static const struct xml_elem guest_elem = {
	.name = "guest", .size = sizeof(struct dom_nic), XML_ATTRS(guest_attrs),
};

static const struct xml_child driver_children[] = {
	{ .elem = &host_elem },
	{ .elem = &guest_elem },
};

/* What is asked for that the kernel's vhost-net does not do; NULL: nothing. */
static const char *beyond_vhost(const struct dom_nic *nic)
{
	return nic->tx_mode == DOM_TX_TIMER ? "txmode 'timer'" :
	       nic->rss == DOM_ON ? "rss 'on'" :
	       nic->rss_hash_report == DOM_ON ? "rss_hash_report 'on'" : NULL;
}

static int driver_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_nic *nic = self;
	const struct { const char *name; uint32_t size; } queues[] = {
		{ "rx_queue_size", nic->rx_queue_size }, { "tx_queue_size", nic->tx_queue_size },
	};

	for (size_t i = 0; i < ND_COUNT(queues); i++)
		if (queues[i].size & (queues[i].size - 1))
			return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "%s '%u' is not a power of two",
					queues[i].name, queues[i].size);
	if (nic->driver == DOM_DRIVER_VHOST && beyond_vhost(nic))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"%s is not possible with name='vhost', only with 'qemu'", beyond_vhost(nic));
	return 0;
}

bool dom_nic_wants_vhost(const struct dom_nic *nic)
{
	return nic->driver != DOM_DRIVER_QEMU && !beyond_vhost(nic);
}

const struct xml_elem elem_dom_nic_driver = {
	.name = "driver", .size = sizeof(struct dom_nic), XML_ATTRS(driver_attrs),
	XML_CHILDREN(driver_children), .check = driver_check,
};

static const struct xml_attr backend_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, NIC(backend_type), XML_NAMES(backend_types),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "tap", .kind = XML_STR, NIC(backend_tap) },
	{ .name = "vhost", .kind = XML_STR, NIC(backend_vhost) },
};

static int backend_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_nic *nic = self;
	const char *paths[] = { nic->backend_tap, nic->backend_vhost };

	for (size_t i = 0; i < ND_COUNT(paths); i++)
		if (paths[i] && paths[i][0] != '/')
			return xml_fail(in, node, ND_ERR_XML, "'%.300s' is not an absolute path", paths[i]);
	return 0;
}

const struct xml_elem elem_dom_nic_backend = {
	.name = "backend", .size = sizeof(struct dom_nic), XML_ATTRS(backend_attrs),
	.check = backend_check,
};

static const struct xml_attr sndbuf_attrs[] = {
	{ .kind = XML_UINT, NIC(sndbuf_bytes), XML_HAS(struct dom_nic, has_sndbuf), .required = true,
	  .print_zero = true, .max = INT32_MAX },
};

static bool sndbuf_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_nic *)self)->has_sndbuf;
}

static const struct xml_elem sndbuf_elem = {
	.name = "sndbuf", .size = sizeof(struct dom_nic), XML_ATTRS(sndbuf_attrs),
	.present = sndbuf_present,
};

static const struct xml_child tune_children[] = { { .elem = &sndbuf_elem } };

const struct xml_elem elem_dom_nic_tune = {
	.name = "tune", .size = sizeof(struct dom_nic), XML_CHILDREN(tune_children),
};

static const struct xml_attr frames_attrs[] = {
	{ .name = "max", .kind = XML_UINT, NIC(coalesce_rx_frames), .required = true },
};

static bool frames_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_nic *)self)->coalesce_rx_frames != 0;
}

static const struct xml_elem frames_elem = {
	.name = "frames", .size = sizeof(struct dom_nic), XML_ATTRS(frames_attrs),
	.present = frames_present,
};

static const struct xml_child rx_children[] = { { .elem = &frames_elem } };

static const struct xml_elem rx_elem = {
	.name = "rx", .size = sizeof(struct dom_nic), XML_CHILDREN(rx_children),
};

static const struct xml_child coalesce_children[] = { { .elem = &rx_elem } };

const struct xml_elem elem_dom_nic_coalesce = {
	.name = "coalesce", .size = sizeof(struct dom_nic), XML_CHILDREN(coalesce_children),
};
