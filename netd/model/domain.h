/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain.h -- one <domain> document as data: a guest of netd-vmm
 *
 * Libvirt's format, cut down to what the runner can do. Nothing that the document says is
 * ignored: an element, attribute or value that has no meaning here is refused where it stands.
 * Strings are owned by the struct; NULL means absent.
 */
#pragma once
#include "netd/model/network.h"
#include "netd/model/nwfilter.h"

/* What a guest's bus holds: slot 0 is the host bridge. */
#define DOM_SLOT_MAX 31
#define DOM_QUEUES_MAX 8
#define DOM_VCPUS_MAX 64
#define DOM_MEMORY_MIN_KIB (32u * 1024)
#define DOM_MEMORY_MAX_KIB (UINT64_C(1) << 30)		/* 1 TiB */

/* Of every device: where it sits, what it is called. */
struct dom_info {
	uint32_t boot_order;		/* 0: none */
	char *alias;
	int pci;			/* has an address; an enum of one value */
	struct pci_address at;
};

struct dom_memory {
	uint64_t kib;			/* 0: absent */
	int line;
};

enum dom_action { DOM_ACTION_ABSENT, DOM_ACTION_DESTROY, DOM_ACTION_RESTART };

struct dom_on {
	enum dom_action action;
};

struct dom_boot {
	enum { DOM_BOOT_ABSENT, DOM_BOOT_HD } dev;
};

struct dom_timer {
	enum { DOM_TIMER_ABSENT, DOM_TIMER_KVMCLOCK, DOM_TIMER_HPET } name;
	enum tristate present;
};

enum dom_clock { DOM_CLOCK_ABSENT, DOM_CLOCK_UTC, DOM_CLOCK_LOCALTIME, DOM_CLOCK_VARIABLE };

enum dom_driver { DOM_DRIVER_ABSENT, DOM_DRIVER_QEMU, DOM_DRIVER_VHOST };

enum dom_switch { DOM_SWITCH_ABSENT, DOM_ON, DOM_OFF };

struct dom_disk {
	enum { DOM_DISK_ABSENT, DOM_DISK_FILE, DOM_DISK_BLOCK } type;
	int device, format, bus;	/* enums of one value: disk, raw, virtio */
	enum dom_driver driver;
	enum { DOM_DISCARD_ABSENT, DOM_DISCARD_UNMAP, DOM_DISCARD_IGNORE } discard;
	char *file, *dev;		/* one of them, by type */
	char *target;			/* vda, vdb, ... */
	bool read_only;
	char *serial;
	struct dom_info info;
	int line;
};

enum dom_nic_type {
	DOM_NIC_ABSENT,
	DOM_NIC_NETWORK,		/* a port of one of netd's networks */
	DOM_NIC_BRIDGE,			/* a TAP on a bridge that is not netd's */
	DOM_NIC_DIRECT,			/* a macvtap on a device of the host */
	DOM_NIC_ETHERNET,		/* a TAP on its own */
};

enum dom_direct_mode { DOM_DIRECT_ABSENT, DOM_DIRECT_VEPA, DOM_DIRECT_BRIDGE, DOM_DIRECT_PRIVATE,
		       DOM_DIRECT_PASSTHROUGH };

/* An address of the host's end; with a peer it leads to the peer's prefix. */
struct dom_ip {
	struct nd_ip address, peer;
	int prefix;			/* -1: not given */
};

enum dom_tx_mode { DOM_TX_ABSENT, DOM_TX_IOTHREAD, DOM_TX_TIMER };

struct dom_nic {
	enum dom_nic_type type;
	enum tristate trust_guest_rx_filters;
	struct nd_mac mac;
	bool has_mac;
	char *network, *portgroup;	/* type network */
	char *bridge;			/* type bridge; live also type network */
	char *dev;			/* type direct */
	enum dom_direct_mode mode;
	struct dom_ip *ips;		/* type ethernet: the host's end */
	size_t n_ips;
	struct route_def *routes;
	size_t n_routes;
	char *script, *downscript;	/* type ethernet: programs of the host's, with the device's name */
	struct nd_uuid portid;		/* live documents, type network */
	bool has_portid;
	struct vlan_def vlan;
	struct virtualport_def virtualport;
	struct bandwidth_def bandwidth;
	enum tristate isolated;
	struct nwfilter_ref filter;	/* what it may send and receive */
	char *target;			/* the host's device; NULL: netd chooses */
	enum tristate target_managed;	/* type ethernet: no: the device is there already */
	int model;			/* an enum of one value: virtio */
	enum dom_driver driver;
	uint32_t queues;		/* 0: 1 */
	uint32_t rx_queue_size, tx_queue_size;	/* descriptors; 0: the runner's default */
	enum dom_tx_mode tx_mode;
	enum dom_switch ioeventfd, event_idx, rss, rss_hash_report;
	/* What one side may leave to the other: the host for what the guest sends, and the guest for
	 * what it receives. gso: all of the host's segmentation. */
	struct dom_offloads {
		enum dom_switch csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf;
	} host, guest;
	int backend_type;		/* an enum of one value: default */
	char *backend_tap, *backend_vhost;	/* devices; NULL: the usual ones */
	uint32_t sndbuf_bytes;		/* of the TAP, for what the guest sends; 0: no limit */
	bool has_sndbuf;
	uint32_t coalesce_rx_frames;	/* 0: as the kernel does */
	/* Persistent: the guest's driver may put it behind a faster NIC of the same MAC, as its standby. */
	enum { DOM_TEAMING_ABSENT, DOM_TEAMING_PERSISTENT, DOM_TEAMING_TRANSIENT } teaming;
	enum { DOM_LINK_ABSENT, DOM_LINK_UP, DOM_LINK_DOWN } link;
	uint32_t mtu_bytes;		/* 0: the network's, or the device's */
	struct dom_info info;
	int line;
};

/* A serial port or the console that is the same port by another name. */
struct dom_serial {
	int type, target_type, model;	/* enums of one value: pty; isa-serial, or serial */
	uint32_t port;
	char *tty, *path;		/* live documents: the host's end */
	struct dom_info info;
	int line;
};

struct dom_rng {
	int model, backend;		/* enums of one value: virtio, random */
	char *source;			/* /dev/urandom, /dev/random */
	struct dom_info info;
	int line;
};

struct dom_balloon {
	int model;			/* an enum of one value: none */
	int line;
};

struct dom_def {
	int type;			/* an enum of one value: kvm */
	uint32_t id;			/* live documents: a number while it runs; 0: none */
	char *name;
	struct nd_uuid uuid;
	bool has_uuid;
	char *title, *description, *metadata;
	struct dom_memory memory, current_memory;
	uint32_t vcpus;
	int vcpu_placement;		/* an enum of one value: static */
	int os_type, arch, machine;	/* enums of one value: hvm, x86_64, netd */
	char *kernel, *initrd, *cmdline;
	struct dom_boot *boots;
	size_t n_boots;
	bool acpi, apic;
	int vmport;			/* enum of one value: off */
	int cpu_mode, cpu_check, cpu_migratable;	/* enums: host-passthrough, none, off */
	enum dom_clock clock;
	char *clock_adjustment;		/* seconds, with a sign; clock variable only */
	enum dom_clock clock_basis;
	struct dom_timer *timers;
	size_t n_timers;
	struct dom_on on_poweroff, on_reboot, on_crash;
	char *emulator;
	struct dom_disk *disks;
	size_t n_disks;
	struct dom_nic *nics;
	size_t n_nics;
	struct dom_serial *serials, *consoles;
	size_t n_serials, n_consoles;
	struct dom_balloon balloon;
	struct dom_rng *rngs;
	size_t n_rngs;
	int os_line, line;
	char **warnings;		/* as struct net_def's: of <metadata> only */
	size_t n_warnings;
};

void dom_def_free(struct dom_def *def);		/* NULL is fine */
ND_DEFINE_AUTO(struct dom_def *, dom_def_free)

/* A client's document. Output-only values in it (id, tty, portid, names that netd gave to devices)
 * are accepted and dropped, so that what was printed can be defined again. */
int dom_def_parse(const char *xml, size_t len, struct dom_def **out, struct nd_error *err);
/* A document that netd wrote of a running guest, with all its values. */
int dom_def_parse_live(const char *xml, size_t len, struct dom_def **out, struct nd_error *err);
/* Checks against domain.rng in schema_dir (ND_ERR_XML_INVALID_SCHEMA). */
int dom_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			    struct nd_error *err);

/* flags: NET_FORMAT_INACTIVE or 0. In libvirt's order and layout; caller frees. NULL: no memory. */
char *dom_def_format(const struct dom_def *def, unsigned flags);
struct dom_def *dom_def_copy(const struct dom_def *def);	/* NULL: out of memory */
bool dom_def_equal(const struct dom_def *a, const struct dom_def *b);

/* What depends on more than one element: devices that clash, a kernel that is missing. */
int dom_def_check(const struct dom_def *def, struct nd_error *err);

/*
 * What define and create put where the document has nothing: uuid, MACs, PCI slots, libvirt's
 * defaults of the life cycle, and what is so anyway (ACPI, the host's CPU). Fails when the bus
 * has no more slots.
 */
int dom_def_generate(struct dom_def *def, struct nd_error *err);

/* The disk's path. Borrowed. */
const char *dom_disk_source(const struct dom_disk *disk);
/* Seconds that the guest's clock is ahead of UTC; localtime by the host's zone at now_s. */
int64_t dom_clock_offset_s(const struct dom_def *def, int64_t now_s);
const char *dom_direct_mode_name(enum dom_direct_mode mode);	/* "vepa" for DOM_DIRECT_ABSENT */
/* The address with its prefix, which is the class's or 64 where none is given. */
struct nd_prefix dom_ip_prefix(const struct dom_ip *ip);
/* Frames shall pass in the kernel, where it can: nothing is asked for that vhost-net has not. */
bool dom_nic_wants_vhost(const struct dom_nic *nic);
/* By MAC or by the host's device, as clients name them; NULL: there is none. */
struct dom_nic *dom_nic_named(const struct dom_def *def, const char *what);

/* ---- devices of their own: attach, detach, update ---- */

enum dom_device_kind { DOM_DEVICE_NIC = 1, DOM_DEVICE_DISK, DOM_DEVICE_RNG };

struct dom_device {
	enum dom_device_kind kind;
	struct dom_nic nic;		/* the one of the kind */
	struct dom_disk disk;
	struct dom_rng rng;
};

int dom_device_parse(const char *xml, size_t len, struct dom_device **out, struct nd_error *err);
void dom_device_free(struct dom_device *device);	/* NULL is fine */
ND_DEFINE_AUTO(struct dom_device *, dom_device_free)

/* A copy of the device at the end of the document's, with what dom_def_generate() gives. */
int dom_def_add_device(struct dom_def *def, const struct dom_device *device, struct nd_error *err);
/* The index of the device that the document means, or ND_ERR_DEVICE_MISSING. A NIC is found by its
 * MAC, or by address or alias; a disk by its target. */
int dom_def_find_device(const struct dom_def *def, const struct dom_device *device, size_t *at_out,
			struct nd_error *err);
void dom_def_remove_device(struct dom_def *def, enum dom_device_kind kind, size_t at);
int dom_nic_copy(struct dom_nic *to, const struct dom_nic *from);	/* overwrites; -ENOMEM */
void dom_nic_fini(struct dom_nic *nic);
