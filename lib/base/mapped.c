/* mapped.c -- see mapped.h.
 * SPDX-License-Identifier: MIT
 *
 * The table is global, because a signal handler must find it: SIGBUS tells
 * which file shrank.  */
#include "base/mapped.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/temp.h"

enum { MAPS = 64 };

static struct mapped_file {
    _Atomic int state; /* 0 free, 1 being filled, 2 valid */
    uintptr_t from, to;
    char name[FD_SHOWN];
} maps[MAPS];

static void write_text(const char *s)
{
    if (write(STDERR_FILENO, s, strlen(s)) < 0)
        return; /* nowhere left to say it */
}

/* A page of a mapped file is gone: the file was cut while it was read.  */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
    const uintptr_t at = (uintptr_t)si->si_addr;

    (void)context;
    for (int i = 0; i < MAPS; i++) {
        if (atomic_load(&maps[i].state) != 2 || at < maps[i].from ||
            at >= maps[i].to)
            continue;
        write_text(program_invocation_short_name);
        write_text(": file changed while it was read: ");
        write_text(maps[i].name);
        write_text("\n");
        temp_cleanup_signal();
        _exit(err_exit(ERR_INPUT));
    }
    signal(sig, SIG_DFL); /* not ours: happens again, with the usual end */
}

static void install_sigbus(void)
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_NODEFER};

    sa.sa_sigaction = on_sigbus;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGBUS, &sa, NULL);
}

/* Note the mapping; 0 if the table is full.  */
static int note(const void *p, size_t n, const char *name)
{
    install_sigbus(); /* each time: others may have set theirs */
    for (int i = 0; i < MAPS; i++) {
        int expected = 0;

        if (!atomic_compare_exchange_strong(&maps[i].state, &expected, 1))
            continue;
        maps[i].from = (uintptr_t)p;
        maps[i].to = (uintptr_t)p + n;
        snprintf(maps[i].name, sizeof maps[i].name, "%s", FD_SHOW(name));
        atomic_store(&maps[i].state, 2);
        return 1;
    }
    return 0;
}

static void forget(const void *p)
{
    for (int i = 0; i < MAPS; i++)
        if (atomic_load(&maps[i].state) == 2 && maps[i].from == (uintptr_t)p)
            atomic_store(&maps[i].state, 0);
}

void *mapped_new(int fd, size_t n, const char *name)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                   fd, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (!note(p, n, name)) {
        munmap(p, n);
        return NULL;
    }
    return p;
}

void mapped_free(void *p, size_t n)
{
    forget(p);
    munmap(p, n);
}

void mapped_forget(const void *p, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t at = (uintptr_t)p, from = (at + page - 1) / page * page;
    const uintptr_t to = (at + n) / page * page;

    for (int i = 0; from < to && i < MAPS; i++)
        if (atomic_load(&maps[i].state) == 2 && maps[i].from <= from &&
            to <= maps[i].to)
            madvise((void *)from, to - from, MADV_DONTNEED);
}
