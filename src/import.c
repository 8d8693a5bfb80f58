/* import.c -- adze-import: an ONNX file -> a model.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/classfile.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "format/model.h"
#include "format/onnx_model.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "graph/summary.h"

static const char *output, *classes;
static struct opt_list set;

static const struct opt options[] = {
    {0, "classes", OPT_TEXT, &classes, "FILE",
     "names of the classes, one a line; - is standard input"},
    {'o', "set", OPT_LIST, &set, "KEY=VALUE",
     "how pictures are prepared: mean, std, size ...; may be repeated"},
    OPT_OUTPUT(&output),
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-import model.onnx -O model.st",
    "gzip -dc model.onnx.gz | adze-import | adze-show",
    "adze-import mobilenet.onnx --classes imagenet.txt -O mobilenet.st",
    "adze-import keras.onnx -o mean=0.5 -o std=0.5 -o size=[224,224] | adze-show",
    NULL};

static const struct command cmd = {
    .name = "import",
    .brief = "make a model of an ONNX file",
    .usage = "[--classes=FILE] [-o KEY=VALUE] [-O FILE] [FILE]",
    .options = options,
    .examples = examples,
    .max_args = 1,
};

/* ---- preprocessing ---- */

/* The mapping that -o gives; NULL with an error.  */
static struct yaml *read_set(struct arena *a, struct err *e)
{
    struct str text = {0};
    struct yaml *y;

    for (int i = 0; i < set.n; i++) {
        const char *eq = strchr(set.item[i], '=');

        str_printf(&text, "%.*s: %s\n", (int)(eq - set.item[i]), set.item[i],
                   eq + 1);
    }
    y = yaml_parse(a, "-o", str_text(&text), text.len, e);
    str_release(&text);
    if (!y)
        err_blame(e, ERR_USAGE);
    return y;
}

/* The size that -o gives, for inputs of any: 1, 0 if there is none.  One
 * number is both.  */
static int wanted_size(const struct yaml *y, int64_t size[2])
{
    const struct yaml *s = yaml_get(y, "size");
    const struct yaml *c = s && s->kind == YAML_LIST ? s->child : s;
    const struct yaml *d = c && c != s ? c->next : c;

    return d && parse_i64(c->text, 1, 65535, &size[0]) == 0 &&
           parse_i64(d->text, 1, 65535, &size[1]) == 0;
}

static int prepare(struct model *m, const struct yaml *y, struct err *e)
{
    const int size[2] = {m->pre.size[0], m->pre.size[1]};
    const int channels = m->pre.channels;

    if (preprocess_yaml(&m->pre, y, e) < 0)
        return err_blame(e, ERR_USAGE);
    if (m->pre.size[0] == size[0] && m->pre.size[1] == size[1] &&
        m->pre.channels == channels)
        return 0;
    return err_set(e, ERR_USAGE,
                   "the file fixes its input: channels=%d, size=[%d,%d]",
                   channels, size[0], size[1]);
}

/* ---- the command ---- */

/* -o says more than the size.  */
static int says_how(void)
{
    for (int i = 0; i < set.n; i++)
        if (!str_starts(set.item[i], "size="))
            return 1;
    return 0;
}

static void tell(const struct model *m, const struct onnx_report *rep)
{
    struct summary s;

    summary_init(&s, m->graph, 0);
    cli_note("%d operators became %d ops with %lld parameters; input %s, %lld "
             "classes",
             rep->operators, m->graph->n_node, (long long)s.total.params,
             ST(&graph_value(m->graph, "image")->shape),
             (long long)model_head(m));
    summary_release(&s);
    if (rep->softmax)
        cli_note("the softmax at its end is left out: scores are computed "
                 "where they are shown");
    if (node_is(graph_output_value(m->graph, graph_answer(m->graph))->node,
                "sigmoid"))
        cli_note("it ends in a sigmoid, a share for each class by itself: "
                 "adze-infer shows the softmax of what a model gives");
    if (rep->outputs)
        cli_note("%d further outputs are left out", rep->outputs);
    if (!rep->preprocess && !says_how())
        cli_note("the file does not say how pictures are prepared: taken is "
                 "what torchvision's weights want; -o mean=... says otherwise");
}

/* What can change the result.  */
static void add_history(struct model *m, const struct onnx_report *rep)
{
    const char **pair = xcalloc(2 * (size_t)set.n + 1, sizeof *pair);

    for (int i = 0; i < set.n; i++) {
        const char *eq = strchr(set.item[i], '=');

        pair[2 * i] = arena_printf(&m->arena, "%.*s", (int)(eq - set.item[i]),
                                   set.item[i]);
        pair[2 * i + 1] = eq + 1;
    }
    model_history_add(m, "import", pair,
                      (const char *[]){"onnx", rep->hash, NULL});
    free(pair);
}

static int check_options(const char *from, struct err *e)
{
    const struct cli_input inputs[] = {
        {from, "the file to import"}, {classes, "the file of classes"}, {0}};

    for (int i = 0; i < set.n; i++)
        if (!strchr(set.item[i], '='))
            return err_set(e, ERR_USAGE, "-o wants KEY=VALUE, not '%s'",
                           Q(set.item[i]));
    if (classes && !strcmp(classes, "-") && !strcmp(from, "-"))
        return err_set(e, ERR_USAGE, "standard input is the file already");
    if (cli_not_input(inputs, output, "-O", e) < 0)
        return -1;
    return cli_streams(from, "", e) < 0 ? -1 : io_check_output(output, e);
}

static int import(const char *from, struct err *e)
{
    struct arena a = {0};
    struct onnx_report rep;
    int64_t size[2];
    struct yaml *y = check_options(from, e) < 0 ? NULL : read_set(&a, e);
    struct model *m =
        y ? onnx_model_read(from, wanted_size(y, size) ? size : NULL, &rep, e)
          : NULL;
    int bad = !m || (set.n && prepare(m, y, e) < 0) ||
              (classes && classfile_read(m, classes, e) < 0);

    if (!bad) {
        add_history(m, &rep);
        tell(m, &rep);
        bad = io_write_model(m, output, e);
    }
    model_free(m);
    arena_release(&a);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const int at = cli_start(&cmd, argc, argv);

    import(at < argc ? argv[at] : "-", &e);
    return cli_end(&cmd, &e);
}
