/* ref_augment.h -- what torchvision makes of the noise picture.
 * SPDX-License-Identifier: MIT
 *
 * Written by scripts/make-ref-augment.py with Pillow 13.0.0, torchvision 0.29.2.  */
#ifndef ADZE_TESTS_REF_AUGMENT_H
#define ADZE_TESTS_REF_AUGMENT_H

#include <stdint.h>

/* clang-format off */
static const struct {
    const char *policy;
    int size[2], w, h; /* the network's; the picture's */
    int sample;
    int to_w, to_h;
    uint32_t crc;
} ref_augment[] = {
    {"pad_crop", {9, 11}, 13, 9, 0, 11, 9, 0x22e6f85d},
    {"pad_crop", {9, 11}, 13, 9, 1, 11, 9, 0xb4d21b7d},
    {"pad_crop", {9, 11}, 9, 14, 2, 11, 9, 0x4be99f52},
    {"pad_crop", {9, 11}, 40, 7, 3, 11, 9, 0x14ee20d3},
    {"pad_crop mode=edge", {9, 11}, 13, 9, 0, 11, 9, 0x257048ab},
    {"pad_crop mode=edge", {9, 11}, 13, 9, 1, 11, 9, 0x10fd13a6},
    {"pad_crop mode=edge", {9, 11}, 9, 14, 2, 11, 9, 0xe1849e9c},
    {"pad_crop mode=edge", {9, 11}, 40, 7, 3, 11, 9, 0xec5a7292},
    {"pad_crop mode=reflect", {7, 13}, 13, 9, 0, 13, 7, 0xb484c37b},
    {"pad_crop mode=reflect", {7, 13}, 13, 9, 1, 13, 7, 0x28103638},
    {"pad_crop mode=reflect", {7, 13}, 9, 14, 2, 13, 7, 0xbdd867cc},
    {"random_crop", {5, 4}, 13, 9, 0, 4, 5, 0xa0ca39e6},
    {"random_crop", {5, 4}, 13, 9, 1, 4, 5, 0xc694d90a},
    {"random_crop", {5, 4}, 9, 14, 2, 4, 5, 0x568027cc},
    {"random_crop", {5, 4}, 40, 7, 3, 4, 5, 0x59d7345d},
    {"random_resized_crop", {6, 8}, 13, 9, 0, 8, 6, 0x3d7de7ed},
    {"random_resized_crop", {6, 8}, 13, 9, 1, 8, 6, 0x7558d462},
    {"random_resized_crop", {6, 8}, 9, 14, 2, 8, 6, 0x5821a937},
    {"random_resized_crop", {6, 8}, 40, 7, 3, 8, 6, 0x10914c75},
    {"random_resized_crop interpolation=bicubic", {10, 9}, 13, 9, 0, 9, 10, 0x2b3815d1},
    {"random_resized_crop interpolation=bicubic", {10, 9}, 13, 9, 1, 9, 10, 0xb6b220d1},
    {"random_resized_crop interpolation=bicubic", {10, 9}, 9, 14, 2, 9, 10, 0xb969e6cb},
    {"random_resized_crop interpolation=bicubic", {10, 9}, 40, 7, 3, 9, 10, 0x26fda5c9},
    {"resize short=5", {1, 1}, 13, 9, 0, 7, 5, 0x6c47a978},
    {"resize short=5", {1, 1}, 13, 9, 1, 7, 5, 0x6c47a978},
    {"resize short=5", {1, 1}, 9, 14, 2, 5, 7, 0x520b5e5e},
    {"resize short=5", {1, 1}, 40, 7, 3, 28, 5, 0x4864fb23},
    {"resize", {5, 6}, 13, 9, 0, 6, 5, 0xde8b9162},
    {"resize", {5, 6}, 13, 9, 1, 6, 5, 0xde8b9162},
    {"resize", {5, 6}, 9, 14, 2, 6, 5, 0xf6bd4658},
    {"resize", {5, 6}, 40, 7, 3, 6, 5, 0xc4f7dd60},
    {"center_crop", {4, 5}, 13, 9, 0, 5, 4, 0x493ba1d5},
    {"center_crop", {4, 5}, 13, 9, 1, 5, 4, 0x493ba1d5},
    {"center_crop", {4, 5}, 9, 14, 2, 5, 4, 0x962d5479},
    {"center_crop", {4, 5}, 40, 7, 3, 5, 4, 0x004223a7},
    {"center_crop", {8, 20}, 13, 9, 0, 20, 8, 0xce6370f3},
    {"center_crop", {8, 20}, 13, 9, 1, 20, 8, 0xce6370f3},
    {"center_crop", {8, 20}, 9, 14, 2, 20, 8, 0xdc1fad11},
    {"center_crop", {8, 20}, 40, 7, 3, 20, 8, 0x99d9df16},
    {"flip p=1", {1, 1}, 13, 9, 0, 13, 9, 0x4abe4ea6},
    {"flip p=1", {1, 1}, 13, 9, 1, 13, 9, 0x4abe4ea6},
    {"flip p=1", {1, 1}, 9, 14, 2, 9, 14, 0x3046c0a2},
    {"flip p=1", {1, 1}, 40, 7, 3, 40, 7, 0xbc6beb8c},
    {"flip_y p=1", {1, 1}, 13, 9, 0, 13, 9, 0x59499f3f},
    {"flip_y p=1", {1, 1}, 13, 9, 1, 13, 9, 0x59499f3f},
    {"flip_y p=1", {1, 1}, 9, 14, 2, 9, 14, 0xdd5603b3},
    {"flip_y p=1", {1, 1}, 40, 7, 3, 40, 7, 0xcc4517b9},
    {"grey p=1", {1, 1}, 13, 9, 0, 13, 9, 0x0251439f},
    {"grey p=1", {1, 1}, 13, 9, 1, 13, 9, 0x0251439f},
    {"grey p=1", {1, 1}, 9, 14, 2, 9, 14, 0x72846e59},
    {"grey p=1", {1, 1}, 40, 7, 3, 40, 7, 0xf8e6f198},
    {"color_jitter hue=0.2", {1, 1}, 13, 9, 0, 13, 9, 0xa49b3ac3},
    {"color_jitter hue=0.2", {1, 1}, 13, 9, 1, 13, 9, 0xf4327909},
    {"color_jitter hue=0.2", {1, 1}, 9, 14, 2, 9, 14, 0x22f8a157},
    {"color_jitter hue=0.2", {1, 1}, 40, 7, 3, 40, 7, 0x64c6518e},
    {"rotate degrees=30", {1, 1}, 13, 9, 0, 13, 9, 0x6f021ce8},
    {"rotate degrees=30", {1, 1}, 13, 9, 1, 13, 9, 0x409e6242},
    {"rotate degrees=30", {1, 1}, 9, 14, 2, 9, 14, 0x33d08ebc},
    {"rotate degrees=30", {1, 1}, 40, 7, 3, 40, 7, 0x681955c9},
    {"rotate degrees=30 interpolation=bilinear", {1, 1}, 13, 9, 0, 13, 9, 0x3889ff4d},
    {"rotate degrees=30 interpolation=bilinear", {1, 1}, 13, 9, 1, 13, 9, 0x32b44586},
    {"rotate degrees=30 interpolation=bilinear", {1, 1}, 9, 14, 2, 9, 14, 0xcea08f96},
    {"rotate degrees=30 interpolation=bilinear", {1, 1}, 40, 7, 3, 40, 7, 0x9e6a671e},
    {"random_erasing p=1", {1, 1}, 13, 9, 0, 13, 9, 0x8382d844},
    {"random_erasing p=1", {1, 1}, 13, 9, 1, 13, 9, 0x59460769},
    {"random_erasing p=1", {1, 1}, 9, 14, 2, 9, 14, 0xb4fbd7fd},
    {"random_erasing p=1", {1, 1}, 40, 7, 3, 40, 7, 0x182a84ef},
    {"cutout length=6", {1, 1}, 13, 9, 0, 13, 9, 0xd9c736a9},
    {"cutout length=6", {1, 1}, 13, 9, 1, 13, 9, 0x30348152},
    {"cutout length=6", {1, 1}, 9, 14, 2, 9, 14, 0x3f21cca3},
    {"cutout length=6", {1, 1}, 40, 7, 3, 40, 7, 0xa08c12d4},
};
/* clang-format on */

#endif
