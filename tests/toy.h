/* toy.h -- a network that trains in milliseconds, with data, in a scratch
 * folder: for the tests of lib/run and lib/train.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../toy.h".  It has what a run could forget: running
 * statistics, momentum, random crops, dropout.  */
#ifndef ADZE_TESTS_TOY_H
#define ADZE_TESTS_TOY_H

#include <stdint.h>

struct device;
struct graph;
struct model;
struct recipe;

enum { TOY_CLASSES = 3, TOY_SIDE = 8, TOY_TRAIN = 100, TOY_VALID = 23 };

/* Group setup and teardown: an empty folder becomes the current one, holding
 * the data sets TOY_TRAIN_SET and TOY_VALID_SET; then it is gone.  */
int toy_setup(void **state);
int toy_teardown(void **state);

#define TOY_TRAIN_SET "train-images"
#define TOY_VALID_SET "valid-images"

/* N pictures of noise whose brightness tells the class, as IDX files
 * NAME-images and NAME-labels.  */
void toy_data(const char *name, int n, uint64_t seed);

/* The network TEXT in the language of adze-networks(7), NULL: the usual one,
 * with numbers drawn from SEED.  */
struct graph *toy_graph(const char *text, uint64_t seed);
struct model *toy_model(uint64_t seed);

/* Two epochs of 25 steps, and MORE ("key=value", NULL-ended; may be NULL).  */
void toy_recipe(struct recipe *r, const char *const *more);

/* Remove the folder PATH, one level deep, if it is there.  */
void toy_remove(const char *path);

#endif
