/* recipe.h -- how to train: six parts of settings, each key one row of a
 * table.
 * SPDX-License-Identifier: MIT
 *
 * A recipe is YAML (adze-recipe(5)); `base:' inherits from another, built in
 * or beside the file; `-o schedule.lr=0.2' overrides.  The table makes
 * parsing, defaults, ranges, the page, and the resolved text that is stored
 * with a run.  An unknown key is an error with the nearest known one, file
 * and line.  */
#ifndef ADZE_TRAIN_RECIPE_H
#define ADZE_TRAIN_RECIPE_H

#include <stdint.h>

#include "base/mem.h"
#include "data/augment.h"

struct err;
struct str;
struct yaml;

/* 0.1 per 128: the rate for a batch of PER; linear scaling gives
 * rate * batch / per.  PER 0: the rate as it is.  */
struct recipe_rate {
    double rate, per;
};

/* A length of training.  */
struct recipe_span {
    double n;
    int steps; /* 1: N steps, 0: N epochs */
};

/* A factor on the loss (lossscale.h).  */
struct recipe_scale {
    double start;  /* 1: none; 0: what fits the precision */
    int64_t every; /* steps until it doubles; 0: it stays as it is */
};

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE };
enum optim_kind { OPTIM_SGD, OPTIM_ADAMW };

struct recipe {
    struct arena arena;
    const struct yaml **given; /* by row: what set it last */

    int64_t seed, epochs, save_every, save_keep;
    int precision; /* of plan_precisions */
    struct recipe_scale loss_scale;

    const struct yaml *init; /* {pattern: initialiser} for adze-init */
    const char **freeze;     /* name patterns, NULL-ended */
    double ema;              /* decay of the average; 0: none */

    int schedule; /* enum schedule_kind */
    struct recipe_rate lr;
    struct recipe_span warmup;
    const double *milestones; /* step: epochs at which the rate falls */
    int n_milestones;
    double gamma, lr_end;

    int optimizer;                                       /* enum optim_kind */
    double momentum, beta1, beta2, epsilon, decay, clip; /* clip 0: none */
    int nesterov;
    const char **no_decay; /* "bias", "norm", or name patterns */

    int64_t batch;
    struct augment augment;
    double smoothing;
    int smoothing_rule;    /* 0: eps / K, 1: eps / (K - 1) on the others */
    int bad, last, decode; /* enum bad_policy; 0 drop 1 keep; 0 exact 1 fast */
    double max_bad;        /* share of the set */

    double mixup, cutmix;         /* alpha; 0: none */
    double mix_prob;              /* share of the batches that are mixed, */
    double mix_switch;            /* and by cutmix, where there are both */
    struct recipe_span mix_until; /* 0: to the end */

    int64_t valid_batch, valid_every;
    int valid_bad;
};

/* FILE (built in, or a path with '/' or .yaml; NULL: "default") with
 * OVERRIDES ("key=value", NULL-ended) on top.  */
int recipe_read(struct recipe *r, const char *file,
                const char *const *overrides, struct err *e);
/* TEXT as recipe_print() writes it.  */
int recipe_parse(struct recipe *r, const char *text, struct err *e);
void recipe_release(struct recipe *r);

/* The key, or the part with all its keys, that KEY, which is none, may be
 * meant for: 'lr' for 'schedule.lr', 'epoch', 'shedule', 'weight_decay' by
 * the words of the table; NULL.  In BUF.  */
enum { RECIPE_KEY = 64 };
const char *recipe_nearest(char buf[RECIPE_KEY], const char *key);

/* What set KEY of the table last, for messages about its value.  */
const struct yaml *recipe_yaml(const struct recipe *r, const char *key);

/* The factor on the loss that R asks for, START not 0.  */
struct recipe_scale recipe_loss_scale(const struct recipe *r);

/* All keys with their values as YAML that recipe_read() reads back.  */
void recipe_print(struct str *s, const struct recipe *r);
/* "key", "value" pairs for the history, NULL-ended; text in the arena.  */
const char *const *recipe_options(struct recipe *r);

/* ---- the table, for the page and for tests ---- */

/* A new key: its field above, its row in recipe.c among those of its part, and
 * `make pages', which writes it into man/adze-recipe.5 (the test of the pages
 * fails without).  A run that was begun before does not go on: the text of its
 * recipe lacks the key, and the message names none, as no value differs.  */
struct recipe_row {
    const char *key; /* "schedule.lr" */
    char kind;       /* i f b c choice, r rate, t span, l factor on the loss,
                  p patterns, n numbers, a augmentation, m map of
                  initialisers */
    size_t offset;
    const char *def; /* YAML text */
    double min, max;
    const char *const *choices;
    const char *help;
};
extern const struct recipe_row recipe_rows[]; /* ended by a NULL key */

int fuzz_recipe(const uint8_t *p, size_t n);

#endif
