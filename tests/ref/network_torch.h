/* network_torch.h -- logits of networks by torchvision 0.29.2.
 * SPDX-License-Identifier: MIT
 *
 * Made by scripts/make-ref-network.py; computed in double.  */
#ifndef ADZE_TESTS_REF_NETWORK_TORCH_H
#define ADZE_TESTS_REF_NETWORK_TORCH_H

static const struct network_ref {
    const char *name, *opts;
    int count;
    float logits[64];
} network_ref[] = {
    /* clang-format off */
    {"vit-t-16", "size=32 patch=8 dim=48 heads=3 depth=2 classes=10", 20, {
        -0.70450645f, -0.739245358f, -0.584625208f, 1.20394782f, -0.778724136f,
        1.98947451f, -0.937503665f, -0.899973404f, 0.407414811f, -1.20281424f,
        -0.749920453f, -0.13078951f, -0.760439776f, 2.41757228f, -0.258713697f,
        1.33663885f, -0.594971104f, -0.168157436f, 0.242256857f, -0.536682787f,
    }},
    /* clang-format on */
};

#endif
