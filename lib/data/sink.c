/* sink.c -- see sink.h.
 * SPDX-License-Identifier: MIT  */
#include "data/sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/temp.h"
#include "data/tar.h"

const char *const sink_names[] = {"tar", "folder", NULL};

struct sink {
    enum sink_kind kind;
    struct out out;    /* of a tar */
    char *path, *temp; /* of a folder */
    char *made;        /* the folder that was made last */
};

static void sink_free(struct sink *s)
{
    free(s->path);
    free(s->made);
    free(s);
}

static int cannot(struct err *e, const char *verb, const char *path)
{
    return err_set(e, ERR_OUTPUT, "cannot %s '%s': %s", verb, Q(path),
                   strerror(errno));
}

/* ---- folders ---- */

/* PATH is not there, or is an empty folder.  */
static int is_free(const char *path, struct err *e)
{
    DIR *d = opendir(path);
    struct dirent *ent;
    int n = 0;

    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return cannot(e, "write to folder", path);
    while ((ent = readdir(d)))
        n += strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0;
    closedir(d);
    return n ? err_set(e, ERR_OUTPUT, "folder '%s' is not empty", Q(path)) : 0;
}

/* The folders above PATH that are missing.  */
static int make_parents(const char *path, struct err *e)
{
    char *p = xstrdup(path);
    int r = 0;

    for (char *slash = p; r == 0 && (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        if (mkdir(p, 0777) < 0 && errno != EEXIST)
            r = cannot(e, "create folder", p);
        *slash = '/';
    }
    free(p);
    return r;
}

/* A folder beside PATH, under a name of its own.  */
static int make_beside(struct sink *s, struct err *e)
{
    s->temp = temp_folder(s->path);
    return s->temp ? 0 : cannot(e, "create a folder beside", s->path);
}

static int folder_open(struct sink *s, const char *path, struct err *e)
{
    size_t n;

    if (!path || !strcmp(path, "-"))
        return err_set(e, ERR_USAGE, "a folder needs a name: give -O FOLDER");
    n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    s->path = xstrndup(path, n);
    if (is_free(s->path, e) < 0 || make_parents(s->path, e) < 0)
        return -1;
    return make_beside(s, e);
}

/* NAME stays below the folder it is put into.  */
static int name_is_safe(const char *name)
{
    if (name[0] == '/' || !name[0])
        return 0;
    for (const char *p = name; p;
         p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
            return 0;
    return 1;
}

/* The folders that PATH stands in, below the first SKIP bytes.  */
static int make_folders(struct sink *s, char *path, size_t skip, struct err *e)
{
    char *last = strrchr(path, '/');
    size_t n = (size_t)(last - path);

    if (s->made && strlen(s->made) == n && !strncmp(s->made, path, n))
        return 0;
    for (char *p = path + skip; (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return cannot(e, "create folder", path);
        *p = '/';
    }
    free(s->made);
    s->made = xstrndup(path, n);
    return 0;
}

static int write_file(const char *path, const void *p, size_t n, struct err *e)
{
    FILE *f = fopen(path, "wbx");
    int bad;

    if (!f)
        return cannot(e, "create", path);
    bad = fwrite(p, 1, n, f) != n;
    bad = fclose(f) != 0 || bad;
    return bad ? cannot(e, "write", path) : 0;
}

static int folder_put(struct sink *s, const char *name, const void *p, size_t n,
                      struct err *e)
{
    struct str path = {0};
    int r;

    if (!name_is_safe(name))
        return err_set(e, ERR_OUTPUT, "'%s' is no name for a file in a folder",
                       Q(name));
    str_printf(&path, "%s/%s", s->temp, name);
    r = make_folders(s, path.data, strlen(s->temp) + 1, e);
    if (r == 0)
        r = write_file(path.data, p, n, e);
    str_release(&path);
    return r;
}

/* One sync for all files, then the name.  */
static int folder_commit(struct sink *s, struct err *e)
{
    const int fd = open(s->temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int synced = fd >= 0 && syncfs(fd) == 0;

    if (fd >= 0)
        close(fd);
    if (!synced)
        return cannot(e, "write", s->path);
    if (rename(s->temp, s->path) < 0)
        return cannot(e, "rename a folder to", s->path);
    temp_keep(s->temp);
    s->temp = NULL;
    return 0;
}

/* ---- both ---- */

struct sink *sink_open(const char *path, enum sink_kind kind, struct err *e)
{
    struct sink *s = xcalloc(1, sizeof *s);
    int r;

    s->kind = kind;
    s->out.fd = -1;
    r = kind == SINK_TAR ? out_open(&s->out, path, e) : folder_open(s, path, e);
    if (r == 0)
        return s;
    sink_free(s);
    return NULL;
}

int sink_put(struct sink *s, const char *name, const void *p, size_t n,
             struct err *e)
{
    return s->kind == SINK_TAR ? tar_write(&s->out, name, p, n, e)
                               : folder_put(s, name, p, n, e);
}

int sink_commit(struct sink *s, struct err *e)
{
    int r =
        s->kind == SINK_TAR ? tar_write_end(&s->out, e) : folder_commit(s, e);

    if (r == 0 && s->kind == SINK_TAR) {
        r = out_commit(&s->out, e);
        sink_free(s);
        return r;
    }
    if (r < 0)
        return sink_abort(s);
    sink_free(s);
    return 0;
}

int sink_abort(struct sink *s)
{
    if (!s)
        return -1;
    if (s->kind == SINK_TAR)
        out_abort(&s->out);
    temp_remove(s->temp);
    sink_free(s);
    return -1;
}

int sink_check_name(const char *path, struct err *e)
{
    static const char *const packed[] = {".tar.gz", ".tgz",     ".tar.xz",
                                         ".zip",    ".tar.bz2", ".tar.zst"};

    for (size_t i = 0; path && i < COUNT(packed); i++)
        if (str_ends(path, packed[i]))
            return err_set(e, ERR_USAGE,
                           "'%s': only plain tar is written; pack it by "
                           "'adze-... -f tar | gzip >FILE.tar.gz'",
                           Q(path));
    return 0;
}
