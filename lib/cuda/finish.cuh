/* finish.cuh -- what follows a product while its sums are in registers.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_FINISH_CUH
#define ADZE_CUDA_FINISH_CUH

#include "cuda/act.cuh"

/* Bias, normalisation by running statistics, another value, activation; of row
 * m, column n of Y, whose rows lie STEP apart.  */
template <class T> struct finish {
    T *y;
    int64_t step;
    const float *bias;                     /* or NULL */
    const float *mean, *var, *gain, *beta; /* mean NULL: none */
    float eps;
    const T *add; /* of the shape of y, or NULL; its rows lie side by side */
    int64_t add_step;
    struct act act;

    __device__ float value(int64_t m, int64_t n, float v) const
    {
        if (bias)
            v += bias[n];
        if (mean)
            v = (v - mean[n]) * ((gain ? gain[n] : 1) / sqrtf(var[n] + eps)) + (beta ? beta[n] : 0);
        if (add)
            v += get(add[m * add_step + n]);
        return act_value(act, v);
    }

    __device__ void store(int64_t m, int64_t n, float v) const
    {
        put(&y[m * step + n], value(m, n, v));
    }
};

enum { FINISH_BIAS = 2 }; /* the operand of conv2d and linear */

/* Of what the step has behind its head, STEP numbers in a row; GAIN of a scale
 * too, which is left to the caller.  */
template <class T> static struct finish<T> finish_of(const struct kernel_args *a, int64_t step) {
    const struct step_nodes *s = a->step;
    const struct tensor *t = a->follow;
    struct finish<T> f = {
    };

    f.y = data<T>(&a->op.out[0]);
    f.step = a->pitch ? a->pitch : step;
    f.add_step = step;
    f.bias = data<float>(&a->op.in[FINISH_BIAS]);
    for (int k = 1; k < s->n; k++) {
        const struct node *n = s->node[k];

        if (node_is(n, "batchnorm2d")) {
            f.gain = data<float>(&t[0]);
            f.beta = data<float>(&t[1]);
            f.mean = data<float>(&t[2]);
            f.var = data<float>(&t[3]);
            f.eps = (float)attr_real(n, "eps");
        } else if (node_is(n, "scale")) {
            f.gain = data<float>(&t[0]);
        } else if (node_is(n, "add")) {
            f.add = data<T>(&t[0]);
        } else {
            f.act = act_of(n);
        }
        t += n->n_in - 1;
    }
    return f;
}

/* The add N reads the product as operand LINK, and another value of the same
 * shape.  */
static inline int
finish_adds(const struct node *n, int link)
{
    const struct value *other = n->n_join == 2 ? n->in[!link] : NULL;

    return other && !value_is_tensor(other) && shape_equal(&other->shape, &n->out[0]->shape);
}

#endif
