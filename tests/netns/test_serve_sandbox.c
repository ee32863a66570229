/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_serve_sandbox.c -- what a server that was taken over can do: nothing but its work
 *
 * Each attempt runs in a process of its own that locks itself in with netd-serve's own code,
 * around the sockets that netd gives a server. An attempt that must fail passes when the process
 * is killed for it or the call is refused; what a server needs must work.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/daemon/lease_dir.h"
#include "netd/daemon/serve_sockets.h"
#include "netd/serve/fds.h"
#include "netd/serve/sandbox.h"
#include "tests/suite.h"

/* The tests' folder, and the network whose server they play. */
static char top[] = "/tmp/netd-sandbox.XXXXXX";
static struct serve_config config;
enum { WORKED = 0, REFUSED = 41, NOT_LOCKED_IN = 42 };

static int udp_fd = -1;		/* a DNS socket, inside */
static int other_fd = -1;	/* end of a UNIX socket pair, in the channel's place */

/* --- attempts: what the call said; below zero it was refused --- */

static long open_passwd(void) { return open("/etc/passwd", O_RDONLY); }
static long open_upwards(void) { return open("../../../../../../etc/passwd", O_RDONLY); }
static long open_proc(void) { return open("/proc/self/mem", O_RDWR); }
static long open_by_old_descriptor(void) { return openat(FD_LOG, "etc/passwd", O_RDONLY); }
static long make_folder(void) { return mkdir("x", 0700); }
static long make_symlink(void) { return symlink("/etc/passwd", "x"); }
static long make_link(void) { return link("leases.db", "x"); }
static long make_device(void) { return mknod("x", S_IFCHR | 0600, 1 << 8 | 1); }
static long make_fifo(void) { return mknod("x", S_IFIFO | 0600, 0); }
static long make_setuid(void) { return chmod("leases.db", 04755); }
static long change_owner(void) { return chown("leases.db", 1, 1); }
static long change_root(void) { return chroot("."); }
static long change_folder(void) { return chdir("/"); }
static long mount_tmpfs(void) { return mount("none", "/", "tmpfs", 0, NULL); }
static long unmount(void) { return umount2("/", MNT_DETACH); }
static long open_by_handle(void) { return syscall(SYS_open_by_handle_at, 0, NULL, O_RDONLY); }
static long make_memfd(void) { return syscall(SYS_memfd_create, "x", 0); }

static long socket_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long socket_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long socket_raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long socket_raw6(void) { return socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); }
static long socket_ping(void) { return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); }
static long socket_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long socket_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long socket_sctp(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP); }
static long socket_pair(void) { int e[2]; return socketpair(AF_UNIX, SOCK_STREAM, 0, e); }
static long make_pipe(void) { int e[2]; return pipe(e); }

static long dup_any(void) { return dup(FD_PACKET); }
static long dup2_any(void) { return dup2(FD_PACKET, 100); }
static long dup3_any(void) { return dup3(FD_PACKET, 100, 0); }
static long dup_by_fcntl(void) { return fcntl(FD_PACKET, F_DUPFD, 100); }
static long take_descriptor(void) { return syscall(SYS_pidfd_getfd, FD_LOG, 0, 0); }
static long own_signals(void) { return fcntl(udp_fd, F_SETOWN, 1); }

static long send_descriptor_listener(void)
{
	return listen(udp_fd, 1);
}

static long bind_packet(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_ifindex = 1 };

	return bind(FD_PACKET, (struct sockaddr *)&at, sizeof(at));
}

static long bind_udp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return bind(fd, (struct sockaddr *)&at, sizeof(at));
}

static const struct sockaddr_ll loopback = {
	.sll_family = AF_PACKET, .sll_protocol = 0x0008, .sll_ifindex = 1, .sll_halen = 6,
};
static const uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x08 };

static long send_addressed(void)
{
	return sendto(FD_PACKET, frame, sizeof(frame), 0, (const struct sockaddr *)&loopback,
		      sizeof(loopback));
}

/* The filter sees 64 bits of the argument, the kernel uses 32. */
static long send_addressed_high_bits(void)
{
	return syscall(SYS_sendto, (1ul << 32) | FD_PACKET, frame, sizeof(frame), 0, &loopback,
		       sizeof(loopback));
}

static struct iovec iov = { (void *)frame, sizeof(frame) };
static struct msghdr addressed = { .msg_name = (void *)&loopback, .msg_namelen = sizeof(loopback),
				   .msg_iov = &iov, .msg_iovlen = 1 };

static long sendmsg_addressed(void) { return sendmsg(FD_PACKET, &addressed, 0); }
static long sendmsg_high_bits(void)
{
	return syscall(SYS_sendmsg, (1ul << 32) | FD_PACKET, &addressed, 0);
}
static long sendmsg_free_bit(void)
{
	return syscall(SYS_sendmsg, (8ul << 32) | FD_PACKET, &addressed, 0);
}
static long sendmmsg_addressed(void)
{
	struct mmsghdr m = { .msg_hdr = addressed };

	return sendmmsg(FD_PACKET, &m, 1, 0);
}

static long receive_descriptors(void)
{
	char byte;
	struct iovec in = { &byte, 1 };
	struct msghdr m = { .msg_iov = &in, .msg_iovlen = 1 };

	return recvmsg(FD_CHANNEL, &m, MSG_DONTWAIT);
}

static long packet_option(void)
{
	int on = 0;

	return setsockopt(FD_PACKET, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
}
static long filter_packets(void)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, UINT32_MAX };
	struct sock_fprog filter = { 1, &all };

	return setsockopt(FD_PACKET, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}
static long detach_filter(void)
{
	int on = 0;

	return setsockopt(FD_PACKET, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on));
}
static long bind_to_device(void)
{
	return setsockopt(udp_fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
}
static long transparent(void)
{
	int on = 1;

	return setsockopt(udp_fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
}
static long interface_list(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	return ioctl(udp_fd, SIOCGIFINDEX, &ifr);
}
static long type_into_terminal(void) { return ioctl(FD_LOG, TIOCSTI, "x"); }
static long truncate_log(void) { return ftruncate(FD_LOG, 0); }
static long watch_files(void) { return inotify_init1(0); }

static long run_program(void)
{
	char *const argv[] = { (char *)"/leases.db", NULL };

	execve("/leases.db", argv, argv);
	return -1;
}
static long run_descriptor(void)
{
	return syscall(SYS_execveat, FD_LOG, "", NULL, NULL, AT_EMPTY_PATH);
}
static long make_process(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long make_process_by_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long make_process_by_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid;
}
static long new_user_namespace(void) { return unshare(CLONE_NEWUSER); }
static long other_namespace(void) { return setns(FD_LOG, CLONE_NEWNET); }
static long kill_parent(void) { return kill(getppid(), 0); }
static long kill_all(void) { return kill(-1, SIGTERM); }
static long kill_thread(void) { return syscall(SYS_tgkill, 1, 1, SIGTERM); }
static long trace_parent(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static long trace_me(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static long read_memory(void)
{
	char byte;
	struct iovec l = { &byte, 1 }, r = { &byte, 1 };

	return process_vm_readv(1, &l, 1, &r, 1, 0);
}
static long find_process(void) { return syscall(SYS_pidfd_open, 1, 0); }
static long become_root(void) { return setuid(0); }
static long become_group(void) { return setgid(0); }
static long take_capabilities(void) { return syscall(SYS_capset, NULL, NULL); }
static long dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long raise_limit(void)
{
	return setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 });
}
static long other_priority(void) { return setpriority(PRIO_PROCESS, 0, -5); }

static long map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}
static long make_code(void)
{
	static char page[8192];

	return mprotect((void *)(((uintptr_t)page + 4095) & ~4095ul), 4096, PROT_READ | PROT_EXEC);
}
static long load_bpf(void) { return syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0); }
static long open_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0); }
static long make_ring(void) { return syscall(SYS_io_uring_setup, 8, NULL); }
static long handle_faults(void) { return syscall(SYS_userfaultfd, 0); }
static long use_keys(void) { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static long other_personality(void) { return syscall(SYS_personality, 0xffffffff); }
static long another_filter(void) { return prctl(PR_SET_SECCOMP, 2, NULL, 0, 0); }
static long host_name(void) { return sethostname("x", 1); }
static long load_module(void) { return syscall(SYS_finit_module, FD_LOG, "", 0); }
static long change_clock(void) { return syscall(SYS_settimeofday, NULL, NULL); }
static void no_such_gate(int sig) { _exit(REFUSED); }
static long old_system_call_table(void)
{
	long r = -1;
#ifdef __x86_64__
	/* A kernel without that table answers with a fault. */
	signal(SIGSEGV, no_such_gate);
	/* getpid of the 32-bit table, by its own gate */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
#endif
	return r;
}
static long x32_system_call(void)
{
	return syscall(0x40000000 | SYS_getppid);
}

/* --- what a server needs --- */

static long open_database(void) { return open("leases.db", O_RDWR | O_CLOEXEC); }
static long make_journal(void)
{
	int fd = open("leases.db-wal", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || ftruncate(fd, 0) < 0 || fdatasync(fd) < 0)
		return -1;
	return rename("leases.db-wal", "old") < 0 ? -1 : unlink("old");
}
static long sync_folder(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}
static long lock_database(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 };

	return fcntl(open("leases.db", O_RDWR), F_SETLK, &l);
}
static long send_frame(void) { return send(FD_PACKET, frame, sizeof(frame), MSG_DONTWAIT); }
static long ask_upstream(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5353),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return send(fd, "x", 1, 0);
}
static long answer_client(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5353),
				  .sin_addr.s_addr = htonl(0xc0a80702) };
	struct iovec out = { (void *)"x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &to, .msg_namelen = sizeof(to),
					  .msg_iov = &out, .msg_iovlen = 1 } };

	return sendmmsg(udp_fd, &m, 1, MSG_DONTWAIT);
}
static long sieve(void)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, UINT32_MAX };
	struct sock_fprog filter = { 1, &all };

	return setsockopt(udp_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -1 :
	       setsockopt(udp_fd, SOL_SOCKET, SO_DETACH_FILTER, &filter, sizeof(filter));
}
static long tcp_option(void)
{
	int on = 1;

	return setsockopt(socket(AF_INET6, SOCK_STREAM, 0), IPPROTO_TCP, TCP_NODELAY, &on,
			  sizeof(on));
}
static long tell_netd(void)
{
	struct iovec out = { (void *)"x", 1 };
	struct msghdr m = { .msg_iov = &out, .msg_iovlen = 1 };

	return sendmsg(FD_CHANNEL, &m, MSG_NOSIGNAL);
}
static void *nothing(void *arg) { return arg; }
static long make_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 ? pthread_join(t, NULL) : -1;
}
static long make_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }
static long make_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static long use_memory(void)
{
	char *p = malloc(40 * 1024 * 1024);

	if (!p)
		return -1;
	memset(p, 1, 40 * 1024 * 1024);
	free(p);
	return 0;
}

struct attempt {
	const char *name;
	long (*call)(void);
};
#define A(name) { #name, name }

static const struct attempt forbidden[] = {
	A(open_passwd), A(open_upwards), A(open_proc), A(open_by_old_descriptor), A(make_folder),
	A(make_symlink), A(make_link), A(make_device), A(make_fifo), A(make_setuid),
	A(change_owner), A(change_root), A(change_folder), A(mount_tmpfs), A(unmount),
	A(open_by_handle), A(make_memfd),
	A(socket_unix), A(socket_packet), A(socket_raw), A(socket_raw6), A(socket_ping),
	A(socket_netlink), A(socket_vsock), A(socket_sctp), A(socket_pair), A(make_pipe),
	A(dup_any), A(dup2_any), A(dup3_any), A(dup_by_fcntl), A(take_descriptor), A(own_signals),
	A(send_descriptor_listener), A(bind_packet), A(bind_udp), A(send_addressed),
	A(send_addressed_high_bits), A(sendmsg_addressed), A(sendmsg_high_bits),
	A(sendmsg_free_bit), A(sendmmsg_addressed), A(receive_descriptors), A(packet_option),
	A(detach_filter), A(filter_packets), A(bind_to_device), A(transparent), A(interface_list),
	A(type_into_terminal), A(truncate_log), A(watch_files),
	A(run_program), A(run_descriptor), A(make_process), A(make_process_by_clone),
	A(make_process_by_clone3), A(new_user_namespace), A(other_namespace), A(kill_parent),
	A(kill_all), A(kill_thread), A(trace_parent), A(trace_me), A(read_memory),
	A(find_process), A(become_root), A(become_group), A(take_capabilities), A(dumpable),
	A(raise_limit), A(other_priority), A(map_code), A(make_code), A(load_bpf), A(open_perf),
	A(make_ring), A(handle_faults), A(use_keys), A(other_personality), A(another_filter),
	A(host_name), A(load_module), A(change_clock), A(old_system_call_table),
	A(x32_system_call),
};

static const struct attempt needed[] = {
	A(open_database), A(make_journal), A(sync_folder), A(lock_database), A(send_frame),
	A(ask_upstream), A(answer_client), A(tcp_option), A(sieve), A(tell_netd), A(make_thread),
	A(make_epoll), A(make_eventfd), A(use_memory),
};

/* --- the ground --- */

static int lock_in(void)
{
	const struct sandbox sandbox = { .lease_root = top, .uuid = config.uuid, .uid = config.uid };
	struct serve_sockets sockets = { 0 };
	struct nd_error err = { 0 };
	int r;

	/* As in a process that netd spawned: stdin, stdout, stderr, the channel, nothing else. */
	if (dup3(other_fd, FD_CHANNEL, O_CLOEXEC) < 0)
		return -1;
	(void)close_range(FD_CHANNEL + 1, ~0u, 0);
	r = fds_reserve();
	if (r == 0)
		r = serve_sockets_open(&config, top, &sockets, &err);
	if (r == 0)
		r = fds_place(sockets.fds[0], sockets.fds[1]);
	if (r == 0)
		r = sandbox_prepare(&err);
	if (r == 0)
		r = sandbox_drop(&sandbox, &err);
	udp_fd = sockets.fds[2];
	if (r == 0)
		r = sandbox_lock(&err);
	if (r < 0)
		fprintf(stderr, "not locked in: %s\n", err.text);
	return r;
}

static int run(const struct attempt *a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (lock_in() < 0)
			_exit(NOT_LOCKED_IN);
		_exit(a->call() < 0 ? REFUSED : WORKED);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(a_server_that_was_taken_over_can_do_nothing_else)
{
	const struct attempt *a = &forbidden[_i];
	int status = run(a);
	/* A kernel without the 32-bit table answers its gate with a fault. */
	bool no_gate = a->call == old_system_call_table && WIFSIGNALED(status) &&
		       WTERMSIG(status) == SIGSEGV;

	ck_assert_msg(no_gate || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
		      (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED),
		      "%s was not refused: status %#x", a->name, status);
}
END_TEST

START_TEST(a_server_can_do_its_work)
{
	const struct attempt *a = &needed[_i];
	int status = run(a);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == WORKED,
		      "%s does not work: status %#x", a->name, status);
}
END_TEST

/* A folder that is another's must not become a server's root. */
START_TEST(a_folder_of_another_uid_is_refused)
{
	struct sandbox sandbox = { .lease_root = top, .uuid = config.uuid, .uid = config.uid + 1 };
	struct nd_error err = { 0 };

	ck_assert_int_lt(sandbox_drop(&sandbox, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "does not belong"));
}
END_TEST

static void run_or_die(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

static void ground_make(void)
{
	ND_AUTO(lease_dirs_free) struct lease_dirs *dirs = NULL;
	struct nd_error err = { 0 };
	struct nd_ip *address = calloc(1, sizeof(*address));
	int ends[2];

	if (unshare(CLONE_NEWNET) < 0 || !mkdtemp(top) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		perror("the tests' ground");
		exit(1);
	}
	other_fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
	run_or_die("ip link set lo up; ip link add br7 type bridge && ip link set br7 up && "
		   "ip addr add 192.168.7.1/24 dev br7");
	nd_uuid_parse("3f2e1c77-0f6d-4f0e-8f55-3fcb0d9b2a01", &config.uuid);
	if (lease_dirs_new(top, 900000, 10, &dirs, &err) < 0 ||
	    lease_dirs_make(dirs, &config.uuid, &config.uid, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	strcpy(config.bridge, "br7");
	config.ifindex = (int)if_nametoindex("br7");
	nd_ip_parse("192.168.7.1", address);
	config.addresses = address;
	config.n_addresses = 1;
	config.dhcp.enabled = config.dns.enabled = true;
}

int main(void)
{
	Suite *suite = suite_create("serve_sandbox");
	TCase *tc = tcase_create("all");
	char command[64];
	int status;

	ground_make();
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_server_that_was_taken_over_can_do_nothing_else, 0,
			    (int)ND_COUNT(forbidden));
	tcase_add_loop_test(tc, a_server_can_do_its_work, 0, (int)ND_COUNT(needed));
	tcase_add_test(tc, a_folder_of_another_uid_is_refused);
	suite_add_tcase(suite, tc);
	status = suite_run(suite);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	run_or_die(command);
	return status;
}
