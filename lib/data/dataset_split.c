/* dataset_split.c -- a folder that holds a training and an evaluation set.
 * SPDX-License-Identifier: MIT  */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "data/form.h"

/* The parts, in the order in which they are taken: val before test.  */
static const char *const roles[] = {"train", "val", "test"};
enum { TRAIN, VAL, TEST, ROLES };

/* The role of an entry: a folder or an archive of that name; -1.  */
static int role_of(const char *name)
{
    for (int i = 0; i < ROLES; i++) {
        const size_t n = strlen(roles[i]);

        if (!strncmp(name, roles[i], n) &&
            (!name[n] || !strcmp(name + n, ".tar")))
            return i;
    }
    return -1;
}

/* A loose file, as labels.csv: no part, and no reason against one.  */
static int is_loose(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* Fill AT with the paths of the parts; 0 if DIR holds another folder.  */
static int find_roles(const char *dir, char *at[ROLES])
{
    DIR *d = opendir(dir);
    struct dirent *ent;
    int only = d != NULL;

    while (d && only && (ent = readdir(d))) {
        const int role = role_of(ent->d_name);
        struct str s = {0};

        if (form_skips(ent->d_name))
            continue;
        str_printf(&s, "%s%s%s", dir,
                   *dir && dir[strlen(dir) - 1] == '/' ? "" : "/", ent->d_name);
        if (role >= 0 && !at[role])
            at[role] = str_take(&s);
        else
            only = is_loose(str_text(&s));
        str_release(&s);
    }
    if (d)
        closedir(d);
    return only;
}

static int known_folder(const char *dir, char *at[ROLES])
{
    return form_cifar_folder(dir, &at[TRAIN], &at[TEST]) ||
           form_idx_folder(dir, &at[TRAIN], &at[TEST]);
}

int dataset_split_dir(const char *spec, char **train, char **val)
{
    char *at[ROLES] = {NULL};
    struct stat st;
    int found;

    *train = *val = NULL;
    if (stat(spec, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    found = known_folder(spec, at) || find_roles(spec, at);
    if (!at[VAL]) {
        at[VAL] = at[TEST];
        at[TEST] = NULL;
    }
    found = found && at[TRAIN] && at[VAL];
    free(at[TEST]);
    if (!found) {
        free(at[TRAIN]);
        free(at[VAL]);
        return 0;
    }
    *train = at[TRAIN];
    *val = at[VAL];
    return 1;
}
