/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "protocol/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int capabilities_drop(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    memset(data, 0, sizeof data);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0)
        return -errno;
    return 0;
}

#ifndef PG_SANITIZED

/* Every right that this version knows (the first has 13; later ones added a bit each), up to what
 * the headers knew that this is built with. */
static uint64_t rights_of(int abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

#ifdef LANDLOCK_ACCESS_FS_REFER
    if (abi >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
#endif
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
    if (abi >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
#ifdef LANDLOCK_ACCESS_FS_IOCTL_DEV
    if (abi >= 5)
        rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
#endif
    return rights;
}

/* A descriptor; 0 where the kernel has no Landlock, or it is turned off: there are two layers more.
 */
static int rules_new(void)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr all = {.handled_access_fs = rights_of(abi)};
    int rules;

    if (abi < 1)
        return 0;
    rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    return rules < 0 ? -errno : rules;
}

static int rules_enforce(int rules)
{
    int rc = syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? -errno : 0;

    close(rules);
    return rc;
}

static void file_allow(int rules, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
    struct stat status;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &status) == 0 && S_ISDIR(status.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

static int files_limit(const struct sandbox_table *table)
{
    int rules;

    if (table->folder)
        return 0;
    rules = rules_new();
    if (rules <= 0)
        return rules;
    for (size_t i = 0; table->readable != NULL && table->readable[i] != NULL; i++)
        file_allow(rules, table->readable[i]);
    return rules_enforce(rules);
}

static int folder_limit(int folder)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                          LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                          LANDLOCK_ACCESS_FS_REMOVE_FILE,
        .parent_fd = folder};
    int rules = rules_new(), rc;

    if (rules <= 0)
        return rules;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
        rc = -errno;
        close(rules);
        return rc;
    }
    return rules_enforce(rules);
}

/* What every helper needs. Sockets are limited where they are made. */
static const int common_calls[] = {
    /* pipes and waiting */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    /* sockets */
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(shutdown),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    /* the end, signals and time */
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SANDBOX_CALLS_END,
};

/* A file of the state folder is written under another name and moved (protocol/file.h). */
static const int folder_calls[] = {
    SCMP_SYS(openat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(fsync),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlinkat),
    SCMP_SYS(landlock_create_ruleset),
    SCMP_SYS(landlock_add_rule),
    SCMP_SYS(landlock_restrict_self),
    SANDBOX_CALLS_END,
};

static const int thread_calls[] = {
    SCMP_SYS(set_robust_list),   SCMP_SYS(rseq),          SCMP_SYS(membarrier),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setattr), SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_yield),       SANDBOX_CALLS_END,
};

static int calls_allow(scmp_filter_ctx filter, const int *calls)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && calls != NULL && calls[i] != SANDBOX_CALLS_END; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return rc;
}

/* Of clone() only what makes a thread. clone3() hides its flags from the filter; the C library
 * falls back. */
static int threads_allow(scmp_filter_ctx filter)
{
    static const scmp_datum_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    int rc = calls_allow(filter, thread_calls);

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
    return rc;
}

/* abort() signals this process; others run as the same user, and fcntl() too could have them
 * signalled (F_SETOWN, F_SETSIG). */
static int own_process_allow(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1(SCMP_CMP_LE, F_SETLKW));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
    return rc;
}

static int reading_allow(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
}

static int arguments_allow(scmp_filter_ctx filter, const struct sandbox_table *table)
{
    int rc = 0;

    for (const int *family = table->families; rc == 0 && family != NULL && *family != 0; family++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)*family));
    for (const unsigned long *request = table->requests;
         rc == 0 && request != NULL && *request != 0; request++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_EQ, *request));
    return rc;
}

static int calls_limit(const struct sandbox_table *table)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc = filter == NULL ? -ENOMEM : 0;

    if (rc == 0)
        rc = calls_allow(filter, common_calls);
    if (rc == 0)
        rc = own_process_allow(filter);
    if (rc == 0)
        rc = calls_allow(filter, table->calls);
    if (rc == 0 && table->threads)
        rc = threads_allow(filter);
    if (rc == 0 && table->folder)
        rc = calls_allow(filter, folder_calls);
    else if (rc == 0 && table->readable != NULL)
        rc = reading_allow(filter);
    if (rc == 0)
        rc = arguments_allow(filter, table);
    if (rc == 0)
        rc = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return rc;
}

#else

static int files_limit(const struct sandbox_table *table)
{
    (void)table;
    return 0;
}

static int folder_limit(int folder)
{
    (void)folder;
    return 0;
}

static int calls_limit(const struct sandbox_table *table)
{
    (void)table;
    return 0;
}

#endif

static int told(int rc, struct error *err)
{
    if (rc < 0)
        error_set(err, "sandbox", "cannot enter the sandbox: %s", strerror(-rc));
    return rc;
}

int sandbox_apply(const struct sandbox_table *table, struct error *err)
{
    int rc = capabilities_drop();

    if (rc == 0)
        rc = files_limit(table);
    if (rc == 0)
        rc = calls_limit(table);
    return told(rc, err);
}

int sandbox_folder(int folder, struct error *err)
{
    return told(folder_limit(folder), err);
}
