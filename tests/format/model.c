/* model.c -- tests of format/model.h.
 * SPDX-License-Identifier: MIT  */
#include "format/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "../network_text.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "graph/graph.h"
#include "tensor/safetensors.h"

static char path[64], other[64];

static const char tiny[] =
    "network: tiny\n"
    "input: {size: [3, 4, 4]}\n"
    "body:\n"
    "- conv: {as: a, out: 2, kernel: 1, bias: yes}\n"
    "- bn: {as: b}\n"
    "- add: [identity, param: {as: p, shape: [1, 2, 4, 4]}]\n"
    "- flatten\n"
    "- linear: {as: fc, out: 3}\n";

/* Every tensor filled with its own numbers.  */
static void fill(struct graph *g)
{
    struct err e = {0};

    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        struct tensor t;

        if (v->kind != VALUE_PARAM && v->kind != VALUE_STATE)
            continue;
        assert_int_equal(tensor_new(&t, DTYPE_F32, &v->shape, &e), 0);
        for (int64_t k = 0; k < tensor_count(&t); k++)
            ((float *)t.data)[k] = (float)i + (float)k / 100;
        value_set_data(v, &t);
        tensor_unref(&t);
    }
}

static struct model *tiny_model(void)
{
    struct model *m = model_new(network_text(tiny));

    fill(m->graph);
    model_set_classes(m, (const char *const[]){"a", "K\xc3\xa4se", "\"c\""}, 3);
    model_history_add(m, "init", (const char *const[]){"seed", "1", NULL},
                      NULL);
    model_history_add(m, "train",
                      (const char *const[]){"lr", "0.1", "epochs", "3", NULL},
                      (const char *const[]){"model", "00", "data", "ff", NULL});
    return m;
}

static void same_file(void)
{
    struct bytes a, b;
    struct err e = {0};

    assert_int_equal(bytes_read(&a, path, 1 << 24, &e), 0);
    assert_int_equal(bytes_read(&b, other, 1 << 24, &e), 0);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.data, b.data, a.n);
    bytes_release(&a);
    bytes_release(&b);
}

static void writes_the_same_bytes_again(void **state)
{
    struct model *m = tiny_model(), *n;
    char was[HASH_TEXT], is[HASH_TEXT];
    struct err e = {0};

    (void)state;
    assert_int_equal(model_save(m, path, &e), 0);
    n = model_read(path, &e);
    if (!n)
        fail_msg("%s", e.msg);
    assert_int_equal(n->n_classes, 3);
    assert_string_equal(n->classes[1], "K\xc3\xa4se");
    assert_string_equal(n->kind, "model");
    assert_string_equal(n->history, m->history);
    assert_int_equal(n->pre.size[0], 4);
    assert_int_equal(model_head(n), 3);
    assert_true(model_trained(n));
    assert_memory_equal(graph_value(n->graph, "fc.weight")->data.data,
                        graph_value(m->graph, "fc.weight")->data.data, 96);
    assert_int_equal(model_save(n, other, &e), 0);
    same_file();
    assert_int_equal(model_fingerprint(m, was, &e), 0);
    assert_int_equal(model_fingerprint(n, is, &e), 0);
    assert_string_equal(was, is);
    ((float *)graph_value(n->graph, "fc.bias")->data.data)[0] += 1;
    assert_int_equal(model_fingerprint(n, is, &e), 0);
    assert_string_not_equal(was, is);
    model_free(m);
    model_free(n);
}

static void metadata_in_order(void **state)
{
    static const char *const keys[] = {
        "adze.format",     "adze.kind",    "adze.graph",  "adze.classes",
        "adze.preprocess", "adze.history", "adze.hashes", "adze.hash"};
    struct model *m = tiny_model();
    struct err e = {0};
    struct set s;
    char text[HASH_TEXT];

    (void)state;
    assert_int_equal(model_save(m, path, &e), 0);
    assert_int_equal(safetensors_read(&s, path, &e), 0);
    assert_int_equal(s.n_meta, COUNT(keys));
    for (int64_t i = 0; i < s.n_meta; i++)
        assert_string_equal(s.meta[i].key, keys[i]);
    assert_string_equal(set_meta_get(&s, "adze.classes"),
                        "[\"a\",\"K\xc3\xa4se\",\"\\\"c\\\"\"]");
    assert_string_equal(
        set_meta_get(&s, "adze.history"),
        "[{\"command\":\"init\",\"version\":\"" ADZE_VERSION
        "\",\"options\":{\"seed\":\"1\"},\"inputs\":{}},{\"command\":\"train\","
        "\"version\":\"" ADZE_VERSION "\",\"options\":{\"epochs\":\"3\",\"lr\":"
        "\"0.1\"},\"inputs\":{\"data\":\"ff\",\"model\":\"00\"}}]");
    assert_int_equal(model_fingerprint(m, text, &e), 0);
    assert_string_equal(set_meta_get(&s, "adze.hash"), text);
    assert_string_equal(s.item[0].name, "a.weight");
    assert_string_equal(s.item[6].name, "p");
    set_release(&s);
    model_free(m);
}

static void trained_heads(void **state)
{
    struct model *m = model_new(network_text(tiny));
    const char *const new_head[] = {"head", "new", NULL};
    const char *const from[] = {"from", "00", NULL};

    (void)state;
    assert_false(model_trained(m));
    model_history_add(m, "init", NULL, NULL);
    assert_false(model_trained(m));
    model_history_add(m, "init", NULL, from);
    assert_true(model_trained(m));
    model_history_add(m, "init", new_head, from);
    assert_false(model_trained(m));
    model_history_add(m, "fuse-bn", NULL, NULL);
    assert_false(model_trained(m));
    model_history_add(m, "train", NULL, NULL);
    model_history_add(m, "quantize", NULL, NULL);
    assert_true(model_trained(m));
    model_free(m);
}

static void checkpoints(void **state)
{
    struct model *m = tiny_model(), *n;
    const struct shape two = shape_make(1, (int64_t[]){2});
    float v[2] = {1, 2};
    const struct tensor t = tensor_view(DTYPE_F32, &two, v);
    struct err e = {0};

    (void)state;
    set_put(&m->extra, "adze:momentum:a.bias", &t);
    set_meta_put(&m->extra, "adze.loop", "{\"step\":3}");
    m->kind = "checkpoint";
    assert_int_equal(model_save(m, path, &e), 0);
    n = model_read(path, &e);
    assert_non_null(n);
    assert_string_equal(n->kind, "checkpoint");
    assert_string_equal(set_meta_get(&n->extra, "adze.loop"), "{\"step\":3}");
    assert_non_null(set_get(&n->extra, "adze:momentum:a.bias"));
    assert_int_equal(model_save(n, other, &e), 0);
    same_file();
    model_free(n);
    m->kind = "model";
    assert_int_equal(model_save(m, path, &e), 0);
    assert_null(model_read(path, &e));
    assert_non_null(strstr(e.msg, "training state in a file of kind 'model'"));
    model_free(m);
}

/* ---- what is refused ---- */

static struct set sample(void)
{
    struct model *m = tiny_model();
    struct err e = {0};
    struct set s;

    assert_int_equal(model_to_set(m, &s, &e), 0);
    model_free(m);
    return s;
}

static void refuse_set(struct set *s, const char *want)
{
    struct err e = {0};

    assert_null(model_from_set(s, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.msg, want))
        fail_msg("'%s' is not in '%s'", want, e.msg);
    set_release(s);
}

static void refuse_meta(const char *key, const char *value, const char *want)
{
    struct set s = sample();

    set_meta_put(&s, key, value);
    refuse_set(&s, want);
}

static void wrong_metadata(void **state)
{
    (void)state;
    refuse_meta("adze.format", "2",
                "the file has format 2, this adze (" ADZE_VERSION
                ") reads up to 1");
    refuse_meta("adze.format", "01", "format '01' is not a number");
    refuse_meta("adze.kind", "ranges", "holds 'ranges', not a model");
    refuse_meta("adze.graph", "body: [rellu]\ninput: {size: [3, 4, 4]}\n",
                "adze.graph:1:8: no op or block is called 'rellu'");
    refuse_meta("adze.graph",
                "body: [linear: {out: 0}]\n"
                "input: {size: [3, 4, 4]}\n",
                "adze.graph:1:8:");
    refuse_meta("adze.classes", "[1]", "'adze.classes': class 0 has no name");
    refuse_meta("adze.classes", "[\"a\",\"a\"]", "class 'a' stands twice");
    refuse_meta("adze.classes", "[\"a\",\"b\",\"c\",\"d\"]",
                "4 names for a head of 3 classes");
    refuse_meta("adze.classes", "{}", "not a list of names");
    refuse_meta("adze.classes", "[", "not JSON");
    refuse_meta("adze.preprocess", "{}", "'adze.preprocess': no key");
    refuse_meta("adze.history", "{}", "'adze.history': not a list");
    refuse_meta("adze.history", "[1]", "entry 0 is not an object");
}

static void other_size(void **state)
{
    struct model *m = tiny_model();
    struct err e = {0};
    struct set s;

    (void)state;
    m->pre.size[1] = 5;
    assert_int_equal(model_to_set(m, &s, &e), 0);
    refuse_set(&s, "makes pictures of 3 x 4 x 5 for an input [N,3,4,4]");
    model_free(m);
}

static void without(const struct set *s, const char *name, struct set *t)
{
    set_init(t);
    for (int64_t i = 0; i < s->n_meta; i++)
        set_meta_put(t, s->meta[i].key, s->meta[i].value);
    for (int64_t i = 0; i < s->n; i++)
        if (strcmp(s->item[i].name, name) != 0)
            set_put(t, s->item[i].name, &s->item[i].t);
}

static void wrong_tensors(void **state)
{
    struct set s = sample(), t;
    const struct shape four = shape_make(1, (int64_t[]){4});
    float v[4] = {0};
    const struct tensor f = tensor_view(DTYPE_F32, &four, v),
                        h = tensor_view(DTYPE_F16,
                                        &(struct shape){.rank = 1, .dim = {2}},
                                        v);
    struct err e = {0};
    struct model *m;

    (void)state;
    without(&s, "fc.bias", &t);
    refuse_set(&t, "do not fit the network: missing 'fc.bias'");
    without(&s, "fc.bias", &t);
    set_put(&t, "fc.bais", &f);
    refuse_set(&t, "missing 'fc.bias'; unexpected 'fc.bais'");
    without(&s, "b.bias", &t);
    set_put(&t, "b.bias", &f);
    refuse_set(&t, "'b.bias' is [4], not [2]");
    without(&s, "b.bias", &t);
    set_put(&t, "b.bias", &h);
    refuse_set(&t, "tensor 'b.bias' is f16, its graph wants f32");
    without(&s, "", &t);
    set_put(&t, "b.num_batches_tracked", &f);
    m = model_from_set(&t, &e);
    assert_non_null(m);
    model_free(m);
    set_release(&t);
    set_release(&s);
}

static void plain_weights(void **state)
{
    struct set s;

    (void)state;
    set_init(&s);
    refuse_set(&s, "plain weights, not a model: use 'adze-init");
}

static void unfilled_graph(void **state)
{
    struct model *m = model_new(network_text(tiny));
    struct err e = {0};

    (void)state;
    assert_int_equal(model_save(m, path, &e), -1);
    assert_non_null(strstr(e.msg, "tensor 'a.weight' has no data"));
    model_free(m);
}

/* ---- damage ---- */

static void read_file(struct bytes *b, struct set s, int hashes)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(safetensors_write(&s, &o, hashes, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    assert_int_equal(bytes_read(b, path, 1 << 24, &e), 0);
    set_release(&s);
}

static void every_cut_and_flip(void **state)
{
    struct bytes b;

    (void)state;
    read_file(&b, sample(), 1);
    assert_int_equal(fuzz_model(b.data, b.n), 0);
    assert_int_equal(fuzz_cut(fuzz_model, b.data, b.n), 0);
    assert_int_equal(fuzz_flip(fuzz_model, b.data, b.n), 0);
    bytes_release(&b);
}

/* With training state.  */
static struct set checkpoint(void)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct set s = sample();
    struct err e = {0};
    struct tensor t;

    set_meta_put(&s, "adze.kind", "checkpoint");
    set_meta_put(&s, "adze.loop", "{}");
    assert_int_equal(tensor_new(&t, DTYPE_F32, &one, &e), 0);
    set_put(&s, "adze:momentum:fc.weight", &t);
    tensor_unref(&t);
    return s;
}

/* Without hashes, which would catch it all.  */
static void fuzz(void **state)
{
    struct bytes a, b;

    (void)state;
    read_file(&a, sample(), 0);
    read_file(&b, checkpoint(), 0);
    assert_int_equal(fuzz_model(b.data, b.n), 0);
    {
        const struct fuzz_seed seeds[] = {{a.data, a.n}, {b.data, b.n}};

        fuzz_run(fuzz_model, seeds, 2, fuzz_repair_documents, 10000, 1);
    }
    bytes_release(&a);
    bytes_release(&b);
}

static int make_names(void **state)
{
    char dir[] = "/tmp/adze-model-XXXXXX";

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/a.st", dir);
    snprintf(other, sizeof other, "%s/b.st", dir);
    return 0;
}

static int remove_names(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    *strrchr(path, '/') = 0;
    return rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_same_bytes_again),
        cmocka_unit_test(metadata_in_order),
        cmocka_unit_test(trained_heads),
        cmocka_unit_test(checkpoints),
        cmocka_unit_test(wrong_metadata),
        cmocka_unit_test(other_size),
        cmocka_unit_test(wrong_tensors),
        cmocka_unit_test(plain_weights),
        cmocka_unit_test(unfilled_graph),
        cmocka_unit_test(every_cut_and_flip),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests(tests, make_names, remove_names);
}
