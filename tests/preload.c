/* preload.c -- a library to preload (LD_PRELOAD) that makes system calls and
 * allocations fail.  Shell tests build it; see need_preload in cli/lib.sh.
 * SPDX-License-Identifier: MIT
 *
 * ADZE_FAULT=WHAT:N:HOW counts the calls of one kind from main() on.
 *   WHAT  malloc   malloc, calloc, realloc, aligned_alloc, posix_memalign
 *         open (that creates), write (not to 0-2), close (of what can be
 *         written), fsync, rename, unlink
 *         file     all but malloc
 *         statvfs  a file system with N bytes left; HOW is not used
 *   N     the N-th call fails; `N+' that and all behind it
 *   HOW   an error number; `kill': SIGKILL before the call, or in the midst
 *         of a write; `lost': the call says that it is done
 * ADZE_FAULT_COUNT=FILE writes the number of calls to FILE when the program
 * ends by exit().  */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names of what is replaced here */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

enum how { FAILS, KILLS, LOSES };

static struct {
    char what[16];
    unsigned long long n;
    int ever, error, on;
    enum how how;
} fault;
static atomic_ullong calls;

static void read_fault(void)
{
    const char *s = getenv("ADZE_FAULT");
    char n[32] = "", how[16] = "";

    if (!s || sscanf(s, "%15[^:]:%31[^:]:%15s", fault.what, n, how) < 2)
        return;
    fault.n = strtoull(n, NULL, 10);
    fault.ever = strchr(n, '+') != NULL;
    fault.how = !strcmp(how, "kill")   ? KILLS
                : !strcmp(how, "lost") ? LOSES
                                       : FAILS;
    fault.error = atoi(how) ? atoi(how) : ENOMEM;
    fault.on = 1;
}

static void write_count(void)
{
    const char *path = getenv("ADZE_FAULT_COUNT");
    char text[32];
    int fd;

    fault.on = 0;
    fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return;
    snprintf(text, sizeof text, "%llu\n", atomic_load(&calls));
    if (write(fd, text, strlen(text)) < 0)
        _exit(99);
    close(fd);
}

typedef int main_fn(int argc, char **argv, char **env);

/* The loader's and the libraries' own calls, before main(), do not count. */
static main_fn *real_main;
static int counted_main(int argc, char **argv, char **env)
{
    read_fault();
    atexit(write_count);
    return real_main(argc, argv, env);
}

int __libc_start_main(main_fn *m, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld)(void), void *stack);
int __libc_start_main(main_fn *m, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld)(void), void *stack)
{
    int (*real)(main_fn *, int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *);

    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = m;
    return real(counted_main, argc, argv, init, fini, rtld, stack);
}

/* Is this call the one?  */
static int hit(const char *what)
{
    unsigned long long n;

    if (!fault.on || (strcmp(what, fault.what) != 0 &&
                      (strcmp(fault.what, "file") || !strcmp(what, "malloc"))))
        return 0;
    n = atomic_fetch_add(&calls, 1) + 1;
    return n == fault.n || (fault.ever && n > fault.n);
}

/* A call that is hit: 1 if it is to do nothing and return *R.  */
static int broken(const char *what, int *r)
{
    if (!hit(what))
        return 0;
    if (fault.how == KILLS)
        kill(getpid(), SIGKILL);
    errno = fault.error;
    *r = fault.how == LOSES ? 0 : -1;
    return 1;
}

/* ---- memory ---- */

void *malloc(size_t n)
{
    return hit("malloc") ? errno = ENOMEM, NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return hit("malloc") ? errno = ENOMEM, NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return hit("malloc") ? errno = ENOMEM, NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return hit("malloc") ? errno = ENOMEM, NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (hit("malloc"))
        return ENOMEM;
    *p = __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

/* ---- files ---- */

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;
    int r;

    va_start(ap, flags);
    if (flags & O_CREAT)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    if ((flags & O_CREAT) && broken("open", &r))
        return r;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (fd > 2 && hit("write")) {
        const long half = syscall(SYS_write, fd, p, n / 2);

        if (fault.how == KILLS)
            kill(getpid(), SIGKILL);
        if (half > 0) /* the rest fails with the next call */
            return fault.n = atomic_load(&calls) + 1, half;
        errno = fault.error;
        return -1;
    }
    return syscall(SYS_write, fd, p, n);
}

/* The descriptor is gone even if this fails.  */
int close(int fd)
{
    const int flags = fd > 2 ? fcntl(fd, F_GETFL) : O_RDONLY;
    int r = 0;
    const int hits =
        flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && broken("close", &r);
    const int error = errno;

    if (syscall(SYS_close, fd) < 0)
        return -1;
    errno = error;
    return hits ? r : 0;
}

int fsync(int fd)
{
    int r;

    return broken("fsync", &r) ? r : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    int r;

    return broken("rename", &r)
               ? r
               : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    int r;

    return broken("unlink", &r) ? r
                                : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int statvfs(const char *path, struct statvfs *s)
{
    (void)path;
    memset(s, 0, sizeof *s);
    s->f_frsize = 1;
    s->f_bavail = strcmp(fault.what, "statvfs") ? 1ull << 50 : fault.n;
    return 0;
}
