/* describe.c -- see plan.h: what a plan does, as text and as a hash.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "run/plan.h"
#include "run/plan_parts.h"

static const char *kernel_name(const struct step *s)
{
    return s->copy     ? "rearrange"
           : s->view   ? "view"
           : s->kernel ? s->kernel->name
                       : "reference";
}

/* What the step computes as it reads: "bnapply+relu>".  */
static void print_lazy(struct str *out, const struct plan *p,
                       const struct step *s)
{
    struct lazy l;

    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (plan_chain(p, plan_operand(s, k, i), &l))
                str_printf(out, "%s%s%s>", l.head->op->name, l.act ? "+" : "",
                           l.act ? l.act->op->name : "");
}

static void print_nodes(struct str *out, const struct plan *p,
                        const struct step *s)
{
    static const char *const mark[] = {"", "'", "!"};

    print_lazy(out, p, s);
    for (int k = 0; k < s->nodes.n; k++)
        str_printf(out, "%s%s%s", k ? "+" : "", s->nodes.node[k]->op->name,
                   mark[s->nodes.node[k]->dir]);
    for (int k = 0; k < s->nodes.n_side; k++)
        str_printf(out, "|%s", s->nodes.side[k]->op->name);
}

/* The last node's name; of a copy, its value's.  */
static const char *step_name(const struct plan *p, const struct step *s)
{
    return s->copy ? p->copy[s->copy - 1].value->name : step_last(s)->name;
}

/* The place of the first result, or -1.  */
static int step_slot(const struct plan *p, const struct step *s)
{
    const struct node *last = step_last(s);

    if (s->copy)
        return p->graph->n_value + s->copy - 1;
    return last->n_out && last->out[0] ? last->out[0]->index : -1;
}

/* Of a place in the block; -1 for what is not there.  */
static int64_t offset(const struct plan *p, int slot)
{
    const int64_t at = p->place[plan_root(p, slot)].at;

    return at < 0 ? -1 : at + plan_shift(p, slot);
}

/* The mean of those runs that count.  */
static double plan_seconds(const struct plan *p, int i)
{
    const struct work *w = &p->work[i >= plan_first_update(p)];

    return w->timed ? p->step[i].seconds / w->timed : 0;
}

void plan_print(struct str *out, const struct plan *p)
{
    str_printf(out, "# batch %lld, %d steps, %zu bytes in one block\n",
               (long long)p->opts.batch, p->n_step, p->bytes);
    str_add(out, "# node\tops\tkernel\tlayout\tshape\toffset\tscratch_bytes");
    str_add(out, p->opts.profile ? "\tms\n" : "\n");
    for (int i = 0; i < p->n_step; i++) {
        const struct step *s = &p->step[i];
        const int slot = step_slot(p, s);

        str_printf(out, "%s\t%s", plan_step(p, i).node, s->joined ? "&" : "");
        print_nodes(out, p, s);
        str_printf(
            out, "\t%s\t%s\t%s\t%lld\t%zu", kernel_name(s),
            layout_name(s->writes), slot < 0 ? "-" : ST(&p->tensor[slot].shape),
            slot < 0 ? -1LL : (long long)offset(p, slot), s->scratch_bytes);
        if (p->opts.profile)
            str_printf(out, "\t%.3f", plan_seconds(p, i) * 1e3);
        str_addc(out, '\n');
    }
}

void plan_print_tuning(struct str *out, const struct plan *p)
{
    for (int i = 0; i < TUNE_N; i++) {
        const struct tuning_row *w = &tuning_rows[i];

        str_printf(out, "# %s\t%lld %s\t%s", w->name,
                   (long long)p->tuning.value[i], w->unit,
                   tuning_effect_name(w->effect));
        if (p->tuning.value[i] != w->def)
            str_printf(out, "\tnot %lld", (long long)w->def);
        str_addc(out, '\n');
    }
}

uint64_t plan_hash(const struct plan *p)
{
    struct str s = {0};
    uint64_t h;

    str_add(&s, "adze " ADZE_VERSION "\n");
    for (int i = 0; i < p->n_step; i++) {
        str_printf(&s, "%s ", step_name(p, &p->step[i]));
        print_nodes(&s, p, &p->step[i]);
        str_printf(&s, " %s\n", kernel_name(&p->step[i]));
    }
    tuning_print(&s, &p->tuning, 0);
    h = hash_u64(str_text(&s), s.len);
    str_release(&s);
    return h;
}

static int64_t step_mac(const struct plan *p, const struct step *s)
{
    int64_t mac = 0;

    for (int k = 0; k < s->nodes.n; k++)
        mac += node_mac(s->nodes.node[k]);
    return mac * p->opts.batch;
}

int plan_steps(const struct plan *p)
{
    return p->n_step;
}

struct plan_step_info plan_step(const struct plan *p, int i)
{
    const struct step *s = &p->step[i];
    const struct node *n = s->nodes.node[0];

    return (struct plan_step_info){
        n ? n->name : step_name(p, s), kernel_name(s), plan_seconds(p, i),
        step_mac(p, s), s->kernel && s->kernel->saves};
}
