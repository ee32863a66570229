/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a guest's machine that need no KVM (serial port, clock, power), the loop, and what
 * netd says about all of it. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"
#include "vmm/config.h"
#include "vmm/loop.h"
#include "vmm/message.h"
#include "vmm/power.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"

static struct nd_error err;
static bool irq;
static unsigned wishes;
static enum power_wish last_wish;
static int64_t now_s;
static uint64_t now_ns;

static void irq_set(void *arg, bool high)
{
	irq = high;
}

static void wish_note(void *arg, enum power_wish wish)
{
	wishes++;
	last_wish = wish;
}

static int64_t clock_s(void)
{
	return now_s;
}

static uint64_t clock_ns(void)
{
	return now_ns;
}

static void set_up(void)
{
	irq = false;
	wishes = 0;
	now_s = 1795791248;		/* Fri Nov 27 14:54:08 UTC 2026 */
	now_ns = 0;
}

/* -- serial -- */

static uint8_t in(struct serial *s, unsigned reg)
{
	uint8_t v;

	serial_read(s, reg, &v, 1);
	return v;
}

static void out(struct serial *s, unsigned reg, uint8_t v)
{
	serial_write(s, reg, &v, 1);
}

START_TEST(what_the_guest_sends_comes_out_and_interrupts)
{
	int ends[2];
	char text[8] = "";
	struct serial *s;

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	s = serial_new(NULL, -1, ends[1], irq_set, NULL);
	out(s, 0, 'h');
	out(s, 0, 'i');
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 2);
	ck_assert_str_eq(text, "hi");
	ck_assert(!irq);
	out(s, 4, 0x8);			/* OUT2 lets interrupts out */
	out(s, 1, 2);			/* transmitter empty */
	ck_assert(irq);
	ck_assert_uint_eq(in(s, 2), 2);
	ck_assert(!irq);
	ck_assert_uint_eq(in(s, 2), 1);
	out(s, 0, 'x');
	ck_assert(irq);
	ck_assert_uint_eq(in(s, 5), 0x60);
	serial_free(s);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(input_waits_in_the_fifo_and_what_is_too_much_outside)
{
	int ends[2];
	struct serial *s;

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	s = serial_new(NULL, ends[0], -1, irq_set, NULL);
	out(s, 4, 0x8);
	out(s, 1, 1);
	ck_assert_int_eq(write(ends[1], "abcdefghijklmnopqrst", 20), 20);
	out(s, 2, 1);			/* FIFOs on: fetches */
	ck_assert(irq);
	ck_assert_uint_eq(in(s, 2), 0xc4);
	for (char c = 'a'; c <= 't'; c++) {
		ck_assert_uint_eq(in(s, 5) & 1, 1);
		ck_assert_uint_eq(in(s, 0), (uint8_t)c);
	}
	ck_assert_uint_eq(in(s, 5) & 1, 0);
	ck_assert(!irq);
	serial_free(s);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_full_reader_loses_the_oldest_output)
{
	int ends[2];
	static char text[1 << 20];
	struct serial *s;
	ssize_t n, all = 0;

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	s = serial_new(NULL, -1, ends[1], irq_set, NULL);
	for (int i = 0; i < 200000; i++)
		out(s, 0, i == 199999 ? '!' : 'a');
	while ((n = read(ends[0], text + all, sizeof(text) - (size_t)all)) > 0) {
		all += n;
		if (n == 1)
			break;
		out(s, 0, '.');		/* makes it look again */
	}
	ck_assert_int_lt(all, 200000);
	ck_assert_ptr_nonnull(memchr(text, '!', (size_t)all));
	serial_free(s);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(registers_are_those_of_a_16550a)
{
	struct serial *s = serial_new(NULL, -1, -1, irq_set, NULL);
	uint32_t wide = 0x11111111;

	out(s, 7, 0x5a);
	ck_assert_uint_eq(in(s, 7), 0x5a);
	out(s, 2, 1);
	ck_assert_uint_eq(in(s, 2) & 0xc0, 0xc0);
	out(s, 3, 0x83);
	out(s, 0, 1);
	out(s, 1, 2);
	ck_assert_uint_eq(in(s, 0), 1);
	ck_assert_uint_eq(in(s, 1), 2);
	out(s, 3, 3);
	ck_assert_uint_eq(in(s, 1), 0);
	/* Loop: what goes out comes in, outputs are inputs. */
	out(s, 4, 0x1a);
	ck_assert_uint_eq(in(s, 6), 0x90);
	out(s, 0, 'q');
	ck_assert_uint_eq(in(s, 0), 'q');
	serial_write(s, 0, &wide, 4);
	ck_assert_uint_eq(in(s, 5) & 1, 0);
	serial_free(s);
}
END_TEST

/* -- clock -- */

static uint8_t cell(struct rtc *r, uint8_t at)
{
	uint8_t v;

	rtc_write(r, 0, &at, 1);
	rtc_read(r, 1, &v, 1);
	return v;
}

static void cell_set(struct rtc *r, uint8_t at, uint8_t v)
{
	rtc_write(r, 0, &at, 1);
	rtc_write(r, 1, &v, 1);
}

START_TEST(the_clock_shows_and_keeps_the_time)
{
	struct rtc r;

	rtc_init(&r, 3600, clock_s);
	ck_assert_uint_eq(cell(&r, 0), 0x08);
	ck_assert_uint_eq(cell(&r, 2), 0x54);
	ck_assert_uint_eq(cell(&r, 4), 0x15);
	ck_assert_uint_eq(cell(&r, 7), 0x27);
	ck_assert_uint_eq(cell(&r, 8), 0x11);
	ck_assert_uint_eq(cell(&r, 9), 0x26);
	ck_assert_uint_eq(cell(&r, 0x32), 0x20);
	cell_set(&r, 11, 0x04);			/* binary, 12 hours */
	ck_assert_uint_eq(cell(&r, 4), 0x80 | 3);
	cell_set(&r, 11, 0x86);			/* stop, 24 hours */
	now_s += 5;
	ck_assert_uint_eq(cell(&r, 0), 8);
	cell_set(&r, 0, 30);
	cell_set(&r, 4, 23);
	cell_set(&r, 7, 31);
	cell_set(&r, 8, 12);
	cell_set(&r, 11, 0x06);
	now_s += 40;
	ck_assert_uint_eq(cell(&r, 0), 10);
	ck_assert_uint_eq(cell(&r, 4), 23);
	ck_assert_uint_eq(cell(&r, 7), 31);
	rtc_reset(&r);
	ck_assert_uint_eq(cell(&r, 7), 0x31);	/* the time was set for good */
	cell_set(&r, 0x40, 0x77);
	ck_assert_uint_eq(cell(&r, 0x40), 0x77);
	for (unsigned at = 0; at < 256; at++) {	/* nothing breaks it */
		cell_set(&r, (uint8_t)at, 0xff);
		(void)cell(&r, (uint8_t)at);
	}
}
END_TEST

/* -- power -- */

START_TEST(the_button_interrupts_who_listens)
{
	struct power p;
	uint16_t v;

	power_init(&p, clock_ns, irq_set, wish_note, NULL);
	ck_assert(!power_button(&p));
	ck_assert(!irq);
	power_event_write(&p, 2, "\0\1", 2);
	ck_assert(irq);
	power_event_read(&p, 0, &v, 2);
	ck_assert_uint_eq(v, 0x100);
	power_event_write(&p, 0, "\0\1", 2);
	ck_assert(!irq);
	ck_assert(power_button(&p));
	power_reset(&p);
	ck_assert(!irq);
}
END_TEST

START_TEST(sleeping_deeply_enough_is_off)
{
	struct power p;
	uint16_t v = 0x2000 | 3 << 10;

	power_init(&p, clock_ns, irq_set, wish_note, NULL);
	power_control_read(&p, 0, &v, 2);
	ck_assert_uint_eq(v, 1);		/* ACPI is on */
	v = 0x2000 | 3 << 10;
	power_control_write(&p, 0, &v, 2);
	ck_assert_uint_eq(wishes, 0);
	v = 0x2000 | 5 << 10;
	power_control_write(&p, 0, &v, 2);
	ck_assert_uint_eq(wishes, 1);
	ck_assert_int_eq(last_wish, POWER_OFF);
	power_keyboard_write(&p, 0, "\xd1", 1);
	power_reset_write(&p, 2);
	power_panic_write(&p, 0, "\2", 1);
	ck_assert_uint_eq(wishes, 1);
	power_keyboard_write(&p, 0, "\xfe", 1);
	ck_assert_int_eq(last_wish, POWER_RESET);
	power_reset_write(&p, 6);
	ck_assert_uint_eq(wishes, 3);
	power_panic_write(&p, 0, "\1", 1);
	ck_assert_int_eq(last_wish, POWER_PANIC);
}
END_TEST

START_TEST(the_timer_has_its_frequency)
{
	struct power p;
	uint32_t a, b;

	power_init(&p, clock_ns, irq_set, wish_note, NULL);
	now_ns = 5000000000000;
	power_timer_read(&p, 0, &a, 4);
	now_ns += 1000000000;
	power_timer_read(&p, 0, &b, 4);
	ck_assert_uint_eq(b - a, 3579545);
}
END_TEST

/* -- loop -- */

struct pair {
	struct loop_watch a, b;
	struct loop *loop;
	int ran;
};

static void other_removed(struct loop_watch *w, uint32_t events)
{
	struct pair *p = loop_owner(w, struct pair, a);

	p->ran++;
	loop_remove(p->loop, &p->b);
	loop_remove(p->loop, &p->a);
	loop_stop(p->loop);
}

static void other_removed_b(struct loop_watch *w, uint32_t events)
{
	other_removed(&loop_owner(w, struct pair, b)->a, events);
}

START_TEST(a_removed_watch_is_not_called_though_it_was_ready)
{
	struct pair p = { .a.ready = other_removed, .b.ready = other_removed_b };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(loop_new(&p.loop, &err), 0);
	p.a.fd = ends[0];
	p.b.fd = ends[1];
	ck_assert_int_eq(loop_add(p.loop, &p.a, EPOLLIN), 0);
	ck_assert_int_eq(loop_add(p.loop, &p.b, EPOLLOUT), 0);
	loop_run(p.loop);
	ck_assert_int_eq(p.ran, 1);
	loop_free(p.loop);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

struct posts {
	struct loop *loop;
	int n;
};

static void counted(void *arg)
{
	struct posts *p = arg;

	if (++p->n == 1000)
		loop_stop(p->loop);
}

static void *post_many(void *arg)
{
	struct posts *p = arg;

	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(loop_post(p->loop, counted, p), 0);
	return NULL;
}

START_TEST(functions_are_posted_from_any_thread)
{
	struct posts p = { 0 };
	pthread_t threads[2];

	ck_assert_int_eq(loop_new(&p.loop, &err), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &p), 0);
	loop_run(p.loop);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(p.n, 1000);
	loop_free(p.loop);
}
END_TEST

/* -- configuration and messages -- */

static void config_make(struct vmm_config *c)
{
	vmm_config_init(c);
	strcpy(c->name, "web");
	c->ram_bytes = 256 << 20;
	c->n_cpus = 2;
	strcpy(c->cmdline, "console=ttyS0");
	c->clock_offset_s = -3600;
	c->kvm_fd = open("/dev/null", O_RDWR);
	c->kernel_fd = open("/dev/null", O_RDWR);
	c->console_fd = open("/dev/null", O_RDWR);
	c->n_nics = 2;
	c->nics = calloc(2, sizeof(*c->nics));
	for (size_t i = 0; i < 2; i++) {
		struct vmm_nic *n = &c->nics[i];

		vmm_nic_init(n);
		n->id[0] = (char)('a' + i);
		n->n_queue_pairs = 2;
		for (size_t q = 0; q < 2; q++) {
			n->tap_fds[q] = open("/dev/null", O_RDWR);
			n->vhost_fds[q] = i ? open("/dev/null", O_RDWR) : -1;
		}
	}
	c->n_disks = 1;
	c->disks = calloc(1, sizeof(*c->disks));
	vmm_disk_init(c->disks);
	strcpy(c->disks->id, "vda");
	c->disks->size_bytes = 4096;
	c->disks->fd = open("/dev/null", O_RDWR);
}

START_TEST(a_configuration_arrives_as_it_was_sent)
{
	struct vmm_config c, d;
	ND_AUTO(free) uint8_t *bytes = NULL, *again = NULL;
	struct vmm_fds fds, fds_again;
	size_t len, len_again;
	struct rd r;

	config_make(&c);
	ck_assert_int_eq(vmm_config_check(&c, &err), 0);
	ck_assert_int_eq(vmm_config_bytes(&c, &bytes, &len, &fds), 0);
	ck_assert_uint_eq(fds.n, 3 + 2 + 4 + 1);
	r = rd_init(bytes, len);
	ck_assert_int_eq(vmm_config_decode(&r, &fds, &d), 0);
	ck_assert_int_eq(fds.fds[0], -1);		/* moved out */
	ck_assert_int_eq(d.nics[1].vhost_fds[1], c.nics[1].vhost_fds[1]);
	ck_assert_int_eq(d.initrd_fd, -1);
	ck_assert_int_eq(d.clock_offset_s, -3600);
	ck_assert_int_eq(vmm_config_bytes(&d, &again, &len_again, &fds_again), 0);
	ck_assert_uint_eq(len_again, len);
	ck_assert_mem_eq(bytes, again, len);
	free(d.nics);
	free(d.disks);
	vmm_config_fini(&c);
}
END_TEST

START_TEST(a_configuration_that_is_cut_or_lacks_descriptors_is_refused)
{
	struct vmm_config c, d;
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct vmm_fds fds;
	size_t len;

	config_make(&c);
	ck_assert_int_eq(vmm_config_bytes(&c, &bytes, &len, &fds), 0);
	for (size_t i = 0; i < len; i++) {
		struct rd r = rd_init(bytes, i);

		ck_assert_int_lt(vmm_config_decode(&r, &fds, &d), 0);
		ck_assert_int_ge(fds.fds[0], 0);	/* still the receiver's */
	}
	for (size_t n = 0; n < 12; n++) {
		struct vmm_fds some = fds;
		struct rd r = rd_init(bytes, len);

		some.n = n;
		if (n != fds.n)
			ck_assert_int_lt(vmm_config_decode(&r, &some, &d), 0);
	}
	vmm_config_fini(&c);
}
END_TEST

START_TEST(what_no_machine_can_be_is_refused)
{
	struct vmm_config c;

#define REFUSED(change, undo, word) do { \
		change; \
		ck_assert_int_lt(vmm_config_check(&c, &err), 0); \
		ck_assert_msg(strstr(err.text, word), "%s", err.text); \
		undo; \
		ck_assert_int_eq(vmm_config_check(&c, &err), 0); \
	} while (0)
	config_make(&c);
	REFUSED(c.n_cpus = 0, c.n_cpus = 1, "vCPUs");
	REFUSED(c.n_cpus = 65, c.n_cpus = 64, "vCPUs");
	REFUSED(c.ram_bytes = 4095, c.ram_bytes = 64 << 20, "memory");
	REFUSED(c.on_reboot = VMM_PRESERVE, c.on_reboot = VMM_DESTROY, "preserved");
	REFUSED(c.nics[1].id[0] = 'a', c.nics[1].id[0] = 'b', "two NICs");
	REFUSED(c.nics[1].slot = 32, c.nics[1].slot = 31, "slot");
	REFUSED(c.disks[0].slot = 31, c.disks[0].slot = 30, "taken");
	REFUSED(c.nics[0].rx_queue_size = 100, c.nics[0].rx_queue_size = 128, "power of two");
	REFUSED(c.nics[0].tx_queue_size = 2048, c.nics[0].tx_queue_size = 1024, "power of two");
	REFUSED(c.nics[0].n_queue_pairs = 3, c.nics[0].n_queue_pairs = 2, "lacks a descriptor");
	REFUSED(c.disks[0].size_bytes = 100, c.disks[0].size_bytes = 512, "sectors");
	vmm_config_fini(&c);
}
END_TEST

START_TEST(messages_arrive_as_they_were_sent)
{
	uint8_t bytes[8192];
	struct vmm_hello hello = { .build = "1", .state = VMM_STATE_PAUSED, .nics = { "a", "b" },
				   .n_nics = 2 }, hello_back;
	struct vmm_event event = { VMM_EVENT_CRASHED, VMM_PRESERVE, "why" }, event_back;
	struct vmm_nic_request q = { "net0", 1500 }, q_back;
	struct vmm_nic_filter filter = { "net0", { { 0x52, 0x54, 0, 1, 2, 3 } }, true }, filter_back;
	struct vmm_counter counters[2] = { { "ram.bytes", 1 }, { "cpu.0.ns", 2 } }, *back;
	struct wr w;
	struct rd r;
	size_t n;

#define SENT(call) (w = wr_init(bytes, sizeof(bytes)), call, r = rd_init(bytes, wr_len(&w)), &r)
	ck_assert_int_eq(vmm_hello_decode(SENT(vmm_hello_encode(&hello, &w)), &hello_back), 0);
	ck_assert_mem_eq(&hello, &hello_back, sizeof(hello));
	ck_assert_int_eq(vmm_event_decode(SENT(vmm_event_encode(&event, &w)), &event_back), 0);
	ck_assert_mem_eq(&event, &event_back, sizeof(event));
	ck_assert_int_eq(vmm_nic_request_decode(SENT(vmm_nic_request_encode(&q, &w)), &q_back), 0);
	ck_assert_mem_eq(&q, &q_back, sizeof(q));
	ck_assert_int_eq(vmm_nic_filter_decode(SENT(vmm_nic_filter_encode(&filter, &w)), &filter_back), 0);
	ck_assert_mem_eq(&filter, &filter_back, sizeof(filter));
	filter.mac.bytes[0] = 1;	/* a group's address is no guest's */
	ck_assert_int_lt(vmm_nic_filter_decode(SENT(vmm_nic_filter_encode(&filter, &w)), &filter_back), 0);
	ck_assert_int_eq(vmm_counters_decode(SENT(vmm_counters_encode(counters, 2, &w)), &back, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(back[1].name, "cpu.0.ns");
	free(back);
	bytes[0] = 0xff;		/* a counter too many */
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_lt(vmm_counters_decode(&r, &back, &n), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm machine");
	TCase *t = tcase_create("machine");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, what_the_guest_sends_comes_out_and_interrupts);
	tcase_add_test(t, input_waits_in_the_fifo_and_what_is_too_much_outside);
	tcase_add_test(t, a_full_reader_loses_the_oldest_output);
	tcase_add_test(t, registers_are_those_of_a_16550a);
	tcase_add_test(t, the_clock_shows_and_keeps_the_time);
	tcase_add_test(t, the_button_interrupts_who_listens);
	tcase_add_test(t, sleeping_deeply_enough_is_off);
	tcase_add_test(t, the_timer_has_its_frequency);
	tcase_add_test(t, a_removed_watch_is_not_called_though_it_was_ready);
	tcase_add_test(t, functions_are_posted_from_any_thread);
	tcase_add_test(t, a_configuration_arrives_as_it_was_sent);
	tcase_add_test(t, a_configuration_that_is_cut_or_lacks_descriptors_is_refused);
	tcase_add_test(t, what_no_machine_can_be_is_refused);
	tcase_add_test(t, messages_arrive_as_they_were_sent);
	return suite_run(s);
}
