/* zoo.h -- the networks and recipes of models/, compiled in as text.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_ZOO_H
#define ADZE_FORMAT_ZOO_H

struct zoo_file {
    const char *name; /* "resnet50.yaml", "recipes/default.yaml" */
    const char *text;
};

/* Where libraries of blocks lie: "blocks/attention.yaml".  */
#define ZOO_LIBRARY "blocks/"

/* NULL-named at the end; made by scripts/embed from models/.  */
extern const struct zoo_file zoo_files[];

/* Names of the networks ("resnet50") that no other is based on, NULL-ended.
 */
extern const char *const zoo_networks[];

/* The text of "resnet50.yaml", NULL if there is none.  */
const char *zoo_find(const char *name);

#endif
