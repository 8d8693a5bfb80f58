/* params.c -- see params.h.
 * SPDX-License-Identifier: MIT  */
#include "run/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mapped.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "graph/device.h"
#include "graph/graph.h"

/* A packed form of one tensor.  NODES is a copy of the step that asked for
 * it: pack() may look at the head's attributes, and the plan that asked may
 * be gone by the next refresh; so it is packed with the latest asker's.  */
struct packed {
    const struct kernel *kernel;
    struct step_nodes step;
    int operand;
    void *data;
    int stale;
    struct packed *next;
};

struct param {
    const char *name;
    struct tensor t;  /* in host memory */
    struct tensor at; /* the same, or its copy on the device */
    struct packed *packed;
};

/* Memory of packed forms.  */
struct block {
    char *data;
    size_t bytes;
};

struct params {
    const struct device *device;
    int shared; /* tensors are the graph's */
    struct block *block;
    int n_block, cap_block;
    char *room; /* what is left of one */
    size_t left;
    struct arena arena;
    struct param *item;
    int n, cap;
    int forms; /* packed ones, of all */
    struct name_map index;
};

/* What was read from a file is not likely to be read again.  */
static void copy(struct tensor *to, const struct tensor *from)
{
    memcpy(to->data, from->data, tensor_bytes(to));
    mapped_forget(from->data, tensor_bytes(from));
}

/* Whether the device has memory of its own.  */
static int is_apart(const struct params *p)
{
    return p->device->put != NULL;
}

static int send(const struct params *p, struct param *q, struct err *e)
{
    return p->device->put(p->device, q->at.data, q->t.data, tensor_bytes(&q->t),
                          e);
}

/* Room for Q on the device, and its values there.  */
static int place(const struct params *p, struct param *q, struct err *e)
{
    const size_t bytes = tensor_bytes(&q->t);

    q->at = q->t;
    q->at.own = NULL;
    if (!is_apart(p))
        return 0;
    q->at.data = p->device->alloc(p->device, bytes ? bytes : 1, e);
    if (!q->at.data || send(p, q, e) < 0)
        return err_in(e, "'%s'", Q(q->name));
    return 0;
}

static int take(struct params *p, const struct value *v, struct err *e)
{
    struct param q = {.name = arena_strdup(&p->arena, v->name)};

    if (!v->data.data)
        return err_set(e, ERR_USAGE,
                       "'%s' has no values yet: initialise the network with "
                       "adze-init",
                       Q(v->name));
    if (p->shared)
        q.t = tensor_ref(&v->data);
    else if (tensor_new(&q.t, v->data.dtype, &v->data.shape, e) < 0)
        return err_in(e, "'%s'", Q(v->name));
    else
        copy(&q.t, &v->data);
    name_map_put(&p->index, q.name, p->n);
    ARRAY_GROW(p->item, p->n, p->cap);
    p->item[p->n++] = q;
    return place(p, &p->item[p->n - 1], e);
}

static struct param *find(const struct params *p, const char *name)
{
    const int64_t i = name_map_get(&p->index, name);

    return i < 0 ? NULL : &p->item[i];
}

static int same(const struct param *q, const struct value *v, struct err *e)
{
    if (shape_equal(&q->t.shape, &v->shape) && q->t.dtype == v->dtype)
        return 0;
    return err_set(e, ERR_SHAPE, "'%s' is %s %s in one graph, %s %s in another",
                   Q(v->name), dtype_name(q->t.dtype), ST(&q->t.shape),
                   dtype_name(v->dtype), ST(&v->shape));
}

int params_add(struct params *p, const struct graph *g, struct err *e)
{
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];
        const struct param *q = find(p, v->name);

        if (!value_is_tensor(v))
            continue;
        if ((q ? same(q, v, e) : take(p, v, e)) < 0)
            return -1;
    }
    return 0;
}

static struct params *make(const struct graph *g, const struct device *d,
                           int shared, struct err *e)
{
    struct params *p = xcalloc(1, sizeof *p);

    p->device = d;
    p->shared = shared;
    if (params_add(p, g, e) < 0) {
        params_free(p);
        return NULL;
    }
    return p;
}

struct params *params_new(const struct graph *g, const struct device *d,
                          struct err *e)
{
    return make(g, d, 0, e);
}

struct params *params_share(const struct graph *g, const struct device *d,
                            struct err *e)
{
    return make(g, d, 1, e);
}

int params_are_shared(const struct params *p)
{
    return p->shared;
}

void params_free(struct params *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n; i++) {
        while (p->item[i].packed) {
            struct packed *k = p->item[i].packed;

            p->item[i].packed = k->next;
            free(k);
        }
        if (is_apart(p))
            p->device->release(p->device, p->item[i].at.data,
                               tensor_bytes(&p->item[i].t));
        tensor_unref(&p->item[i].t);
    }
    for (int i = 0; i < p->n_block; i++)
        p->device->release(p->device, p->block[i].data, p->block[i].bytes);
    name_map_release(&p->index);
    free(p->block);
    free(p->item);
    arena_release(&p->arena);
    free(p);
}

struct tensor *params_get(const struct params *p, const char *name)
{
    struct param *q = find(p, name);

    return q ? &q->t : NULL;
}

struct tensor *params_on_device(const struct params *p, const char *name)
{
    struct param *q = find(p, name);

    return q ? &q->at : NULL;
}

int params_fetch(struct params *p, struct err *e)
{
    for (int i = 0; i < p->n && is_apart(p); i++) {
        struct param *q = &p->item[i];

        if (p->device->get(p->device, q->t.data, q->at.data,
                           tensor_bytes(&q->t), e) < 0)
            return err_in(e, "'%s'", Q(q->name));
    }
    return is_apart(p) ? p->device->finish(p->device, e) : 0;
}

/* What V is given: see params_store().  */
static struct param *gift(const struct params *p, const char *prefix,
                          const struct value *v)
{
    struct str name = {0};
    struct param *q = NULL;

    if (!value_is_tensor(v))
        return NULL;
    if (prefix) {
        str_printf(&name, "%s%s", prefix, v->name);
        q = find(p, str_text(&name));
        str_release(&name);
    }
    return q ? q : find(p, v->name);
}

int params_store(struct params *p, struct graph *g, const char *prefix,
                 struct err *e)
{
    if (params_fetch(p, e) < 0)
        return -1;
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        const struct param *q = gift(p, prefix, v);
        struct tensor t;

        if (!q)
            continue;
        if (tensor_convert(&t, &q->t, q->t.dtype, e) < 0)
            return -1;
        value_set_data(v, &t);
        tensor_unref(&t);
    }
    return 0;
}

int params_give(struct params *p, struct graph *g, const char *prefix,
                struct err *e)
{
    if (params_fetch(p, e) < 0)
        return -1;
    for (int i = 0; i < g->n_value; i++) {
        const struct param *q = gift(p, prefix, g->value[i]);

        if (q)
            value_set_data(g->value[i], &q->t);
    }
    return 0;
}

void params_touch(struct params *p, const char *name)
{
    struct param *q = find(p, name);

    for (struct packed *k = q ? q->packed : NULL; k; k = k->next)
        k->stale = 1;
}

static char *block_add(struct params *p, size_t bytes, struct err *e)
{
    char *data = p->device->alloc(p->device, bytes, e);

    if (!data)
        return NULL;
    ARRAY_GROW(p->block, p->n_block, p->cap_block);
    p->block[p->n_block++] = (struct block){data, bytes};
    return data;
}

/* BYTES for a packed form.  Small ones lie side by side, where memory costs
 * nothing before it is touched: on a few large pages, which the processor finds
 * faster than many small ones, by 2 % of a ResNet-50 in bf16.  */
static void *form_room(struct params *p, size_t bytes, struct err *e)
{
    enum { BLOCK = 32 << 20, SMALL = BLOCK / 8, LINE = 64 };
    const size_t size = (bytes + LINE - 1) / LINE * LINE;
    char *at;

    if (is_apart(p) || bytes > SMALL)
        return block_add(p, bytes, e);
    if (size > p->left) {
        at = block_add(p, BLOCK, e);
        if (!at)
            return NULL;
        p->room = at;
        p->left = BLOCK;
    }
    at = p->room;
    p->room += size;
    p->left -= size;
    return at;
}

const void *params_packed(struct params *p, const char *name,
                          const struct kernel *k, const struct step_nodes *s,
                          int i, struct err *e)
{
    struct param *q = find(p, name);
    struct step_nodes plain = *s;
    struct packed *f;

    plain.tuning = NULL; /* other plans may have another */
    if (!q)
        BUG("'%s' is no parameter", name);
    for (f = q->packed; f; f = f->next)
        if (f->kernel == k && f->operand == i) {
            f->step = plain;
            return f->data;
        }
    f = xcalloc(1, sizeof *f);
    f->kernel = k;
    f->step = plain;
    f->operand = i;
    f->data = form_room(p, k->pack_bytes(&plain, i), e);
    if (!f->data) {
        free(f);
        return NULL;
    }
    k->pack(&plain, i, &q->at, f->data);
    if (p->shared)
        mapped_forget(q->t.data, tensor_bytes(&q->t));
    f->next = q->packed;
    q->packed = f;
    p->forms++;
    return f->data;
}

int params_forms(const struct params *p)
{
    return p->forms;
}

static void refresh_one(void *ctx, int64_t task, int thread)
{
    struct params *p = ctx;

    (void)thread;
    for (struct packed *k = p->item[task].packed; k; k = k->next)
        if (k->stale) {
            k->kernel->pack(&k->step, k->operand, &p->item[task].at, k->data);
            k->stale = 0;
        }
}

void params_refresh(struct params *p, struct pool *pool)
{
    pool_run(is_apart(p) ? NULL : pool, p->n, refresh_one, p);
}

int params_send(struct params *p, const char *name, struct err *e)
{
    struct param *q = find(p, name);

    if (!q)
        BUG("'%s' is no parameter", name);
    if (is_apart(p) && send(p, q, e) < 0)
        return -1;
    params_touch(p, name);
    refresh_one(p, q - p->item, 0);
    return 0;
}
