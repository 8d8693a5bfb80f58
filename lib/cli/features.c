/* features.c -- see features.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/features.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/quote.h"
#include "format/head.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/plan.h"
#include "tensor/npy.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* ---- which values ---- */

static int add_name(struct features *f, const char *name, size_t n,
                    struct err *e)
{
    for (int i = 0; i < f->n; i++)
        if (strlen(f->name[i]) == n && !strncmp(f->name[i], name, n))
            return 0;
    if (f->n == FEATURES)
        return err_set(e, ERR_USAGE, "more than %d features", FEATURES);
    f->name[f->n++] = xstrndup(name, n);
    return 0;
}

static int split(struct features *f, const char *names, struct err *e)
{
    for (const char *p = names;; p++) {
        const size_t n = strcspn(p, ",");

        if (!n)
            return err_set(e, ERR_USAGE, "--features=%s holds an empty name",
                           Q(names));
        if (add_name(f, p, n, e) < 0)
            return -1;
        p += n;
        if (!*p)
            return 0;
    }
}

/* For each value the last node that reads it.  */
static int *last_readers(const struct graph *g)
{
    int *last = xcalloc((size_t)g->n_value + 1, sizeof *last);

    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k])
                last[g->node[i]->in[k]->index] = i;
    return last;
}

static int is_map(const struct value *v)
{
    return v->shape.rank == 4 && v->shape.batch == 1 && v->kind == VALUE_NODE;
}

static int same_size(const struct value *a, const struct value *b)
{
    return a->shape.dim[2] == b->shape.dim[2] &&
           a->shape.dim[3] == b->shape.dim[3];
}

/* The maps that are handed on alone, the last of each size: a node hands its
 * value on alone if nothing that was there before (UNTIL) is read later.  */
static int add_maps(struct features *f, const struct graph *g, struct err *e)
{
    int *last = last_readers(g), until = 0, rc = 0;
    const struct value *map = NULL;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT && last[i] > until)
            until = last[i];
    for (int i = 0; i < g->n_node && rc == 0; i++) {
        const struct value *v = g->node[i]->out[0];

        if (v && until <= i && is_map(v)) {
            if (map && !same_size(map, v))
                rc = add_name(f, map->name, strlen(map->name), e);
            map = v;
        }
        for (int k = 0; k < g->node[i]->n_out; k++)
            if (g->node[i]->out[k] && last[g->node[i]->out[k]->index] > until)
                until = last[g->node[i]->out[k]->index];
    }
    if (rc == 0 && map)
        rc = add_name(f, map->name, strlen(map->name), e);
    free(last);
    return rc;
}

static int find(struct features *f, const struct graph *g, const char *names,
                struct err *e)
{
    if (strcmp(names, "auto") != 0)
        return split(f, names, e);
    if (pass_quantized(g))
        return err_set(e, ERR_USAGE,
                       "the model computes in 8 bits and keeps no features: "
                       "use the one of fp32 that it was made of");
    return add_name(f, "features", strlen("features"), e) < 0
               ? -1
               : add_maps(f, g, e);
}

static struct value *value_of(struct graph *g, const char *name)
{
    struct value *v = graph_output_value(g, name);

    if (!v)
        v = graph_scope_value(g, name);
    if (!v && !strcmp(name, "features"))
        v = head_input(g);
    return v;
}

static int ask(struct graph *g, const char *name, struct err *e)
{
    struct value *v = value_of(g, name);

    if (!v)
        return err_set(e, ERR_USAGE,
                       "the network has no value '%s': adze-show --graph "
                       "names them",
                       Q(name));
    if (v->shape.batch != 1 || v->dtype != DTYPE_F32 || v->kind != VALUE_NODE)
        return err_set(e, ERR_USAGE, "'%s' is no value of a picture", Q(name));
    if (!graph_output_value(g, name))
        graph_output(g, name, v, 0);
    return 0;
}

struct graph *features_graph(struct features *f, const struct graph *in,
                             const char *names, struct err *e)
{
    struct graph *plain = pass_simplify(in, e), *g, *simple;
    int bad = !plain || find(f, plain, names, e) < 0;

    graph_free(plain);
    if (bad)
        return NULL;
    g = graph_copy(in); /* what simplifying takes away has a name, too */
    for (int i = 0; i < f->n && !bad; i++)
        bad = ask(g, f->name[i], e) < 0;
    simple = bad ? NULL : pass_simplify(g, e);
    graph_free(g);
    return simple;
}

void features_release(struct features *f)
{
    for (int i = 0; i < f->n; i++) {
        free(f->name[i]);
        if (f->file[i])
            fclose(f->file[i]);
    }
    str_release(&f->paths);
    *f = (struct features){0};
}

/* ---- rows ---- */

static int failed(const struct features *f, struct err *e)
{
    return err_set(e, ERR_OUTPUT, "cannot write '%s': %s", Q(f->output),
                   strerror(errno));
}

/* A file without a name in the folder of OUTPUT.  */
static FILE *open_spool(const char *output)
{
    struct arena a = {0};
    char *path = arena_printf(&a, "%s.XXXXXX", output);
    const int fd = mkstemp(path);
    FILE *file = NULL;

    if (fd >= 0) {
        unlink(path);
        file = fdopen(fd, "w+b");
        if (!file)
            close(fd);
    }
    arena_release(&a);
    return file;
}

int features_open(struct features *f, const char *output, struct err *e)
{
    f->output = output;
    if (str_ends(output, ".npz"))
        return err_set(e, ERR_USAGE,
                       "'%s': features are written as safetensors, or one "
                       "value as .npy, not as NPZ",
                       Q(output));
    if (str_ends(output, ".npy") && f->n != 1)
        return err_set(e, ERR_USAGE,
                       "'%s' holds one value, not %d: name one with "
                       "--features, or write .safetensors",
                       Q(output), f->n);
    for (int i = 0; i < f->n; i++) {
        f->file[i] = open_spool(output);
        if (!f->file[i])
            return failed(f, e);
    }
    return 0;
}

int features_add(struct features *f, struct plan *p, int64_t i,
                 const char *path, struct err *e)
{
    for (int k = 0; k < f->n; k++) {
        const struct tensor *t = plan_output(p, f->name[k]);
        const struct tensor row = tensor_rows(t, i, 1);

        if (fwrite(row.data, tensor_bytes(&row), 1, f->file[k]) != 1)
            return failed(f, e);
    }
    if (f->rows++)
        str_add(&f->paths, ",");
    quote_json(&f->paths, path);
    return 0;
}

/* ---- the file ---- */

/* The rows of value K as T, mapped; *AT is NULL where there are none.  */
static int map_rows(struct features *f, const struct graph *g, int k,
                    struct tensor *t, void **at, size_t *bytes, struct err *e)
{
    struct shape s = graph_output_value(g, f->name[k])->shape;

    s.dim[0] = f->rows;
    s.batch = 0;
    *t = tensor_view(DTYPE_F32, &s, NULL);
    *bytes = tensor_bytes(t);
    *at = NULL;
    if (fflush(f->file[k]) != 0)
        return failed(f, e);
    if (!*bytes)
        return 0;
    *at = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fileno(f->file[k]), 0);
    if (*at == MAP_FAILED) {
        *at = NULL;
        return failed(f, e);
    }
    t->data = *at;
    return 0;
}

static int write_set(struct features *f, const struct tensor *t, struct err *e)
{
    struct str paths = {0};
    struct set s;
    int rc;

    if (str_ends(f->output, ".npy"))
        return npy_save(t, f->output, e);
    set_init(&s);
    str_printf(&paths, "[%s]", str_text(&f->paths));
    set_meta_put(&s, "model", f->model);
    set_meta_put(&s, "paths", str_text(&paths));
    for (int k = 0; k < f->n; k++)
        set_put(&s, f->name[k], &t[k]);
    rc = safetensors_save(&s, f->output, e);
    set_release(&s);
    str_release(&paths);
    return rc;
}

int features_save(struct features *f, const struct graph *g, struct err *e)
{
    struct tensor t[FEATURES];
    void *at[FEATURES] = {NULL};
    size_t bytes[FEATURES];
    int bad = 0;

    if (!f->rows)
        return err_set(e, ERR_INPUT, "no picture was read: '%s' is not written",
                       Q(f->output));
    for (int k = 0; k < f->n && !bad; k++)
        bad = map_rows(f, g, k, &t[k], &at[k], &bytes[k], e) < 0;
    bad = bad || write_set(f, t, e) < 0;
    for (int k = 0; k < f->n; k++)
        if (at[k])
            munmap(at[k], bytes[k]);
    return bad ? -1 : 0;
}
