/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h -- netd's side of a guest's life: the channel, and the next netd's connection
 *
 * The guest goes on when netd is gone. One netd is heard at a time: the last that connected and
 * has the uid of the one that started this process.
 */
#pragma once
#include <sys/types.h>

#include "netd/base/auto.h"
#include "netd/base/channel.h"
#include "vmm/loop.h"
#include "vmm/machine.h"

struct control;

/* Takes the channel and the configuration's listen_fd (-1: the process ends with the channel), to
 * which only netd_uid may connect. Stops the loop when the guest shall be no more. */
int control_new(struct loop *l, struct channel *channel, struct vmm_config *config, uid_t netd_uid,
		struct control **out, struct nd_error *err);
void control_free(struct control *c);
ND_DEFINE_AUTO(struct control *, control_free)
/* Borrowed; may be set after the first event came. */
void control_machine_set(struct control *c, struct machine *m);
int control_listen_fd(const struct control *c);

/* As struct machine_setup has them, with arg a struct control. */
void control_event(void *arg, const struct vmm_event *e);
void control_filter(void *arg, const char *id);
void control_over(void *arg);
/* An answer to a message. err NULL: DONE. */
void control_answer(struct control *c, uint32_t serial, const struct nd_error *err);
void control_hello(struct channel *channel, const struct nd_uuid *uuid, struct machine *m);
