/* weightfile.c -- see weightfile.h.
 * SPDX-License-Identifier: MIT  */
#include "format/weightfile.h"

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "graph/graph.h"
#include "tensor/npz.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static void to_set(const struct graph *g, struct set *s)
{
    set_init(s);
    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            set_put(s, g->value[i]->name, &g->value[i]->data);
}

/* PyTorch's readers want to hear that the tensors are theirs.  */
static int encode_safetensors(struct str *to, struct set *s, struct err *e)
{
    struct out o;

    set_meta_put(s, "format", "pt");
    out_memory(&o, to);
    return safetensors_write(s, &o, 0, e);
}

static int encode_npz(struct str *to, struct set *s, struct err *e)
{
    return npz_encode(to, s, e);
}

static int decode_safetensors(struct set *s, const struct str *from,
                              struct err *e)
{
    return safetensors_parse(s, (const unsigned char *)from->data, from->len,
                             NULL, 1, e);
}

static int decode_npz(struct set *s, const struct str *from, struct err *e)
{
    return npz_parse(s, (const unsigned char *)from->data, from->len, e);
}

static const struct {
    int (*encode)(struct str *to, struct set *s, struct err *e);
    int (*decode)(struct set *s, const struct str *from, struct err *e);
} forms[] = {
    [WEIGHTFILE_SAFETENSORS] = {encode_safetensors, decode_safetensors},
    [WEIGHTFILE_NPZ] = {encode_npz, decode_npz},
};

/* G with the tensors of S.  */
static struct graph *with_tensors(const struct graph *in, const struct set *s,
                                  struct err *e)
{
    struct graph *g = graph_copy(in);

    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        const struct tensor *t = set_get(s, v->name);

        if (!value_is_tensor(v))
            continue;
        if (!t || t->dtype != v->dtype || !shape_equal(&t->shape, &v->shape)) {
            err_set(e, ERR_FORMAT, "tensor '%s' is another one", Q(v->name));
            graph_free(g);
            return NULL;
        }
        value_set_data(v, t);
    }
    return g;
}

int weightfile_encode(struct str *to, enum weightfile form,
                      const struct graph *g, int64_t *n, struct err *e)
{
    struct set s;
    int bad;

    to_set(g, &s);
    *n = s.n;
    bad = forms[form].encode(to, &s, e) < 0;
    set_release(&s);
    return bad ? -1 : 0;
}

struct graph *weightfile_graph(const struct str *from, enum weightfile form,
                               const struct graph *like, struct err *e)
{
    struct graph *g = NULL;
    struct set s;

    if (forms[form].decode(&s, from, e) == 0) {
        g = with_tensors(like, &s, e);
        set_release(&s);
    }
    return g;
}
