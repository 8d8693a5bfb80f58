/* temp.c -- see temp.h.
 * SPDX-License-Identifier: MIT
 *
 * The table is global, because a signal handler must find it.  */
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { TEMPS = 16, TRIES = 10000 };

static struct temp {
    _Atomic int state; /* 0 free, 1 being filled, 2 exists */
    pid_t owner;       /* a child must not remove its parent's */
    char path[PATH_MAX];
} temps[TEMPS];

static void note(const char *path)
{
    for (int i = 0; i < TEMPS; i++) {
        int expected = 0;

        if (!atomic_compare_exchange_strong(&temps[i].state, &expected, 1))
            continue;
        snprintf(temps[i].path, sizeof temps[i].path, "%s", path);
        temps[i].owner = getpid();
        atomic_store(&temps[i].state, 2);
        return;
    }
}

static void forget(const char *path)
{
    for (int i = 0; i < TEMPS; i++)
        if (atomic_load(&temps[i].state) == 2 && !strcmp(temps[i].path, path))
            atomic_store(&temps[i].state, 0);
}

/* ---- making ---- */

/* What is made: a descriptor, or 0; -1 and errno.  */
typedef int make_fn(const char *path);

static int make_file(const char *path)
{
    return fd_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777);
}

/* No signal comes between the making and the note of it.  */
static int make_noted(make_fn *make, const char *path)
{
    sigset_t all, old;
    int made, bad;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    made = make(path);
    bad = errno;
    if (made >= 0)
        note(path);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = bad;
    return made;
}

static char *make_one(make_fn *make, const char *prefix, int *made)
{
    for (unsigned k = 0; k < TRIES; k++) {
        struct str s = {0};

        str_printf(&s, "%s.adze-%ld-%u.tmp", prefix, (long)getpid(), k);
        *made = make_noted(make, str_text(&s));
        if (*made >= 0)
            return str_take(&s);
        str_release(&s);
        if (errno != EEXIST)
            return NULL;
    }
    return NULL;
}

char *temp_file(const char *prefix, int *fd)
{
    return make_one(make_file, prefix, fd);
}

char *temp_folder(const char *prefix)
{
    int made;

    return make_one(make_folder, prefix, &made);
}

/* ---- removing ---- */

/* As getdents64() fills it; readdir() is not for signal handlers.  */
struct entry {
    uint64_t inode, next;
    unsigned short size;
    unsigned char type;
    char name[];
};

/* Folders in folders, and bytes of entries at a time: what the stack takes
 * lightly.  */
enum { DEPTH = 255, ENTRY_BYTES = 1024 };

static void remove_at(int folder, const char *name, int depth)
{
    _Alignas(struct entry) char buf[ENTRY_BYTES];
    int fd;
    long n;

    if (unlinkat(folder, name, 0) == 0 || depth == DEPTH)
        return;
    fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
        for (long at = 0; at < n;) {
            const struct entry *d = (const struct entry *)(buf + at);

            if (strcmp(d->name, ".") != 0 && strcmp(d->name, "..") != 0)
                remove_at(fd, d->name, depth + 1);
            at += d->size;
        }
    if (fd >= 0)
        close(fd);
    unlinkat(folder, name, AT_REMOVEDIR);
}

void temp_keep(char *name)
{
    if (name)
        forget(name);
    free(name);
}

void temp_remove(char *name)
{
    if (name)
        remove_at(AT_FDCWD, name, 0);
    temp_keep(name);
}

void temp_cleanup_signal(void)
{
    const int saved = errno;

    for (int i = 0; i < TEMPS; i++)
        if (atomic_load(&temps[i].state) == 2 && temps[i].owner == getpid())
            remove_at(AT_FDCWD, temps[i].path, 0);
    errno = saved;
}
