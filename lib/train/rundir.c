/* rundir.c -- see rundir.h.
 * SPDX-License-Identifier: MIT  */
#include "train/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "train/loop.h"

char *rundir_path(const struct rundir *d, const char *name)
{
    struct str s = {0};

    str_printf(&s, "%s/%s", d->path, name);
    return str_take(&s);
}

static int make_dirs(const char *path, struct err *e)
{
    char *p = xstrdup(path);
    struct stat st;
    int bad = 0;

    for (char *slash = strchr(p + 1, '/'); !bad;
         slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (mkdir(p, 0777) < 0 && errno != EEXIST)
            bad = err_set(e, ERR_OUTPUT, "cannot make folder '%s': %s", Q(p),
                          strerror(errno));
        if (!slash)
            break;
        *slash = '/';
    }
    free(p);
    if (!bad && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
        bad = err_set(e, ERR_OUTPUT, "'%s' is no folder", Q(path));
    return bad;
}

static int check_space(const char *path, size_t need, struct err *e)
{
    struct statvfs vfs;
    const char *unit = "bytes";

    if (statvfs(path, &vfs) < 0)
        return 0;
    const unsigned long long left =
        (unsigned long long)vfs.f_bavail * vfs.f_frsize;

    if (left >= need)
        return 0;
    return err_set(e, ERR_OUTPUT,
                   "run folder '%s' needs %zu %s for checkpoints, %llu free",
                   Q(path), need, unit, left);
}

/* Take the lock of the folder PATH, open as FD.  */
static int flock_or_tell(int fd, const char *path, struct err *e)
{
    char text[32] = {0};
    ssize_t n;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_set(e, ERR_OUTPUT, "cannot lock run folder '%s': %s",
                       Q(path), strerror(errno));
    n = read(fd, text, sizeof text - 1);
    text[n > 0 ? strcspn(text, "\n") : 0] = 0;
    return err_set(e, ERR_OUTPUT, "run folder '%s' is in use by process %s",
                   Q(path), *text ? text : "?");
}

int rundir_idle(const char *path, struct err *e)
{
    const struct rundir d = {path, -1};
    char *lock = rundir_path(&d, "lock");
    const int fd = open(lock, O_RDWR | O_CLOEXEC);
    const int bad = fd >= 0 ? flock_or_tell(fd, path, e) : 0;

    free(lock);
    if (fd >= 0)
        close(fd);
    return bad;
}

static int take_lock(struct rundir *d, struct err *e)
{
    char *path = rundir_path(d, "lock"), text[32];
    ssize_t n;

    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    free(path);
    if (d->lock < 0)
        return err_set(e, ERR_OUTPUT, "cannot write in '%s': %s", Q(d->path),
                       strerror(errno));
    if (flock_or_tell(d->lock, d->path, e) < 0)
        return -1;
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(d->lock, 0) < 0 || pwrite(d->lock, text, (size_t)n, 0) != n)
        return err_set(e, ERR_OUTPUT, "cannot write in '%s': %s", Q(d->path),
                       strerror(errno));
    return 0;
}

static int is_temp(const struct dirent *f)
{
    return str_starts(f->d_name, ".adze-") && str_ends(f->d_name, ".tmp");
}

/* Remove the files of D that CHOOSE names, but the last KEEP of them.  */
static void prune(const struct rundir *d, int (*choose)(const struct dirent *),
                  int64_t keep)
{
    struct dirent **list;
    const int n = scandir(d->path, &list, choose, versionsort);

    for (int i = 0; i < n; i++) {
        char *path = rundir_path(d, list[i]->d_name);

        if (i < n - keep)
            unlink(path);
        free(path);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int rundir_open(struct rundir *d, const char *path, size_t need, struct err *e)
{
    *d = (struct rundir){path, -1};
    if (make_dirs(path, e) == 0 && take_lock(d, e) == 0) {
        prune(d, is_temp, 0);
        if (check_space(path, need, e) == 0)
            return 0;
    }
    rundir_close(d);
    return -1;
}

void rundir_close(struct rundir *d)
{
    if (d->path && d->lock >= 0)
        close(d->lock);
    d->lock = -1;
}

int rundir_check(const char *path, struct err *e)
{
    static const char *const names[] = {
        "recipe.yaml", "best.st",     "metrics.csv", "metrics.jsonl",
        "log.txt",     "report.html", "bad.jsonl"};
    const struct rundir d = {path, -1};
    char *lock = rundir_path(&d, "lock");
    const int was_run = access(lock, F_OK) == 0;
    int bad = 0;

    free(lock);
    for (size_t i = 0; i < COUNT(names) && !was_run && !bad; i++) {
        char *file = rundir_path(&d, names[i]);

        if (access(file, F_OK) == 0)
            bad = err_set(e, ERR_USAGE,
                          "folder '%s' holds '%s', which no run wrote and this "
                          "one would replace: name another run folder",
                          Q(path), names[i]);
        free(file);
    }
    return bad;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

int rundir_check_recipe(const char *path, const char *recipe, const char *text,
                        struct err *e)
{
    const struct rundir d = {path, -1};
    char *ours = rundir_path(&d, "recipe.yaml");
    struct bytes b = {0};
    struct err unread = {0};
    int bad = 0;

    if (recipe && same_file(recipe, ours) &&
        (bytes_read(&b, ours, (size_t)1 << 30, &unread) < 0 ||
         b.n != strlen(text) || memcmp(b.data, text, b.n) != 0))
        bad = err_set(e, ERR_USAGE,
                      "the run would write its whole recipe over '%s', the one "
                      "it is begun with: name another run folder",
                      Q(recipe));
    bytes_release(&b);
    free(ours);
    return bad;
}

int rundir_write(const struct rundir *d, const char *name, const char *text,
                 struct err *e)
{
    char *path = rundir_path(d, name);
    struct out o;
    int bad = out_open(&o, path, e);

    if (!bad)
        bad = out_write(&o, text, strlen(text), e) < 0 ? out_abort(&o)
                                                       : out_commit(&o, e);
    free(path);
    return bad;
}

#define COLUMN(name, whole)                            \
    {                                                  \
#        name, offsetof(struct train_row, name), whole \
    }

const struct rundir_column rundir_columns[] = {COLUMN(epoch, 1),
                                               COLUMN(step, 1),
                                               COLUMN(lr, 0),
                                               COLUMN(loss, 0),
                                               COLUMN(top1, 0),
                                               COLUMN(valid_loss, 0),
                                               COLUMN(valid_top1, 0),
                                               COLUMN(valid_top5, 0),
                                               COLUMN(loss_scale, 0),
                                               COLUMN(overflows, 1),
                                               {0}};

static double value(const struct rundir_column *c, const struct train_row *r)
{
    const char *p = (const char *)r + c->at;

    return c->whole ? (double)*(const int64_t *)p : *(const double *)p;
}

/* An empty cell, or null, stands for what was not measured.  */
static const char *number(char buf[FMT_NUM], double v, const char *none)
{
    return isfinite(v) ? fmt_f64(buf, v) : none;
}

int rundir_metrics(const struct rundir *d, const struct train_row *row,
                   int64_t n, struct err *e)
{
    struct str csv = {0}, json = {0};
    const struct rundir_column *const c = rundir_columns;
    char buf[FMT_NUM];
    int bad;

    for (int k = 0; c[k].name; k++)
        str_printf(&csv, "%s%s", k ? "," : "", c[k].name);
    str_addc(&csv, '\n');
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; c[k].name; k++) {
            const double v = value(&c[k], &row[i]);

            str_printf(&csv, "%s%s", k ? "," : "", number(buf, v, ""));
            str_printf(&json, "%s\"%s\": %s", k ? ", " : "{", c[k].name,
                       number(buf, v, "null"));
        }
        str_add(&csv, "\n");
        str_add(&json, "}\n");
    }
    bad = rundir_write(d, "metrics.csv", str_text(&csv), e) < 0 ||
          rundir_write(d, "metrics.jsonl", str_text(&json), e) < 0;
    str_release(&csv);
    str_release(&json);
    return bad ? -1 : 0;
}

static int is_epoch(const struct dirent *f)
{
    return str_starts(f->d_name, "epoch-") && str_ends(f->d_name, ".st");
}

char *rundir_newest(const char *path, const char *skip)
{
    const struct rundir d = {path, -1};
    struct dirent **list;
    const int n = scandir(path, &list, is_epoch, versionsort);
    char *newest = NULL;

    for (int i = n; i-- > 0; free(list[i])) {
        char *name = newest ? NULL : rundir_path(&d, list[i]->d_name);

        if (name && (!skip || strcmp(name, skip) != 0))
            newest = name;
        else
            free(name);
    }
    if (n >= 0)
        free(list);
    return newest;
}

void rundir_rotate(const struct rundir *d, int64_t keep)
{
    prune(d, is_epoch, keep);
}
