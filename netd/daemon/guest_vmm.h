/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_vmm.h -- a guest's process, as netd talks with it
 *
 * Requests are answered in any order, each once: by the process, by its end, or by the clock.
 * Callbacks come from the event loop, never from within a call.
 */
#pragma once
#include "netd/daemon/child.h"
#include "netd/daemon/guest.h"
#include "netd/daemon/paths.h"
#include "vmm/message.h"

struct guest_vmm;

/* What became of it, as far as it said before it ended. */
enum guest_fate { GUEST_FATE_UNKNOWN, GUEST_FATE_POWEROFF, GUEST_FATE_RESET, GUEST_FATE_CRASHED };

struct guest_vmm_hooks {
	/* Of an adopted one, its first word: good is false when it cannot be talked with. */
	void (*hello)(struct guest *g, const struct vmm_hello *hello, bool good);
	void (*event)(struct guest *g, const struct vmm_event *event);
	/* It is dead: why is a sentence's end. The vmm is to be freed, then or later. */
	void (*gone)(struct guest *g, struct guest_vmm *vmm, const char *why);
};

/* hooks are borrowed. */
int guest_vmm_spawn(struct guest *g, uid_t uid, const struct guest_vmm_hooks *hooks,
		    struct guest_vmm **out, struct nd_error *err);
/* Connects to the socket that an earlier netd gave it. -ENOENT, -ECONNREFUSED: nobody is there. */
int guest_vmm_adopt(struct guest *g, uid_t uid, const struct guest_vmm_hooks *hooks,
		    struct guest_vmm **out, struct nd_error *err);
/* Another owner. */
void guest_vmm_set_hooks(struct guest_vmm *v, const struct guest_vmm_hooks *hooks);
/* Lets go: the process goes on, unless it is dead. NULL is fine. Requests in hand are forgotten. */
void guest_vmm_free(struct guest_vmm *v);
ND_DEFINE_AUTO(struct guest_vmm *, guest_vmm_free)

/* body: of DONE or STATS; err NULL: it worked. */
typedef void (*guest_vmm_done)(void *arg, struct rd *body, const struct nd_error *err);

/* done may be NULL. A negative errno, with err, when it cannot even be asked. */
int guest_vmm_request(struct guest_vmm *v, uint16_t type, const void *body, size_t len,
		      const struct vmm_fds *fds, guest_vmm_done done, void *arg,
		      struct nd_error *err);
/* A request about one NIC. */
int guest_vmm_nic(struct guest_vmm *v, uint16_t type, const char *id, uint32_t value,
		  guest_vmm_done done, void *arg, struct nd_error *err);
/* Nobody waits for answers any more: those with this arg are forgotten. */
void guest_vmm_forget(struct guest_vmm *v, void *arg);

void guest_vmm_kill(struct guest_vmm *v);	/* SIGKILL; `gone` follows */
bool guest_vmm_is_gone(const struct guest_vmm *v);
enum guest_fate guest_vmm_fate(const struct guest_vmm *v);
pid_t guest_vmm_pid(const struct guest_vmm *v);
uid_t guest_vmm_uid(const struct guest_vmm *v);
uint64_t guest_vmm_age_ms(const struct guest_vmm *v);

/* A socket at run/netd/vmms/UUID.sock for the process to listen on; worker. */
int guest_vmm_listen(const struct paths *paths, const struct nd_uuid *uuid, int *fd_out,
		     struct nd_error *err);
void guest_vmm_unlisten(const struct paths *paths, const struct nd_uuid *uuid);
