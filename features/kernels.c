/* Loops over short arrays that NumPy would pay for call by call; features/kernels.py says what each means.
 *
 * Every function leaves its inputs as they are, allocates nothing but what it frees, and gives the numbers of the
 * NumPy code bit by bit: sums are made in the same order and precision, and the compiler is told not to contract them.
 * Callers have checked shapes, types and bounds. No function knows Python, so the interpreter's lock is free meanwhile.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Code for processors with wide registers beside the usual one, chosen when the library is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Grows whenever a function is called in another way; features/kernels.py refuses any other. */
int64_t revision(void)
{
    return 2;
}

/* Rows of a sparse matrix: those of row r are indices[starts[r]] to indices[starts[r + 1] - 1], and data alike. */

int64_t named_columns(const int64_t *starts, const int32_t *indices, const int64_t *rows, int64_t count, int64_t size,
                      int64_t *near, int32_t *places)
{
    int64_t found = 0;
    memset(places, 0, (size_t)size * sizeof *places);
    for (int64_t each = 0; each < count; each++)
        for (int64_t at = starts[rows[each]]; at < starts[rows[each] + 1]; at++)
            places[indices[at]] = 1;
    for (int64_t column = 0; column < size; column++)
        if (places[column]) {
            near[found] = column;
            places[column] = (int32_t)++found;
        }
    return found;
}

int grouped_sums(const int64_t *starts, const int32_t *indices, const float *data, const int64_t *rows,
                 const double *weights, const int64_t *ends, int64_t groups, const int32_t *places, int64_t width,
                 float *sums)
{
    double *total = malloc((size_t)(width ? width : 1) * sizeof *total);
    if (total == NULL)
        return -1;
    for (int64_t group = 0, entry = 0; group < groups; group++) {
        memset(total, 0, (size_t)width * sizeof *total);
        for (; entry < ends[group]; entry++)
            for (int64_t at = starts[rows[entry]]; at < starts[rows[entry] + 1]; at++)
                total[places ? places[indices[at]] : indices[at]] += (double)data[at] * weights[entry];
        for (int64_t column = 0; column < width; column++)
            sums[group * width + column] = (float)total[column];
    }
    free(total);
    return 0;
}

/* The matrix by columns times a vector of `width`: column c has indices[starts[c]] to indices[starts[c + 1] - 1]. */
void times_vector(const int64_t *starts, const int32_t *indices, const float *data, const float *vector, int64_t width,
                  float *product, int64_t size)
{
    memset(product, 0, (size_t)size * sizeof *product);
    for (int64_t column = 0; column < width; column++) {
        const float factor = vector[column];
        if (factor == 0.0f)
            continue;
        for (int64_t at = starts[column]; at < starts[column + 1]; at++)
            product[indices[at]] += data[at] * factor;
    }
}

void rows_times_vector(const int64_t *starts, const int32_t *indices, const float *data, const int64_t *rows,
                       int64_t count, const float *vector, float *products)
{
    for (int64_t each = 0; each < count; each++) {
        double total = 0.0;
        for (int64_t at = starts[rows[each]]; at < starts[rows[each] + 1]; at++)
            total += (double)(data[at] * vector[indices[at]]);
        products[each] = (float)total;
    }
}

/* The heap of the best so far has the worst of them on top: the smallest value, of equal ones the last position. */
static void sink(float *values, int64_t *order, int64_t count, int64_t from)
{
    const float value = values[from];
    const int64_t place = order[from];
    for (;;) {
        int64_t child = 2 * from + 1;
        if (child >= count)
            break;
        if (child + 1 < count && (values[child + 1] < values[child] ||
                                  (values[child + 1] == values[child] && order[child + 1] > order[child])))
            child++;
        if (value < values[child] || (value == values[child] && place > order[child]))
            break;
        values[from] = values[child];
        order[from] = order[child];
        from = child;
    }
    values[from] = value;
    order[from] = place;
}

static int by_position(const void *one, const void *other)
{
    const int64_t first = *(const int64_t *)one, second = *(const int64_t *)other;
    return (first > second) - (first < second);
}

int64_t best(const float *values, const uint8_t *eligible, const int64_t *positions, int64_t size, int64_t count,
             int64_t *found)
{
    float *heap = malloc((size_t)(count ? count : 1) * sizeof *heap);
    int64_t held = 0;
    if (heap == NULL)
        return -1;
    for (int64_t at = 0; count && at < size; at++) {
        /* Of equal values the first ones stay, as a later one is not larger. */
        if (!(values[at] > (held == count ? heap[0] : 0.0f)) || !eligible[positions ? positions[at] : at])
            continue;
        if (held < count) {
            heap[held] = values[at];
            found[held++] = at;
            if (held == count)
                for (int64_t from = count / 2; from-- > 0;)
                    sink(heap, found, count, from);
        } else {
            heap[0] = values[at];
            found[0] = at;
            sink(heap, found, count, 0);
        }
    }
    free(heap);
    if (held == count)
        qsort(found, (size_t)held, sizeof *found, by_position);
    if (positions)
        for (int64_t at = 0; at < held; at++)
            found[at] = positions[found[at]];
    return held;
}

/* Trees as lists of conditions (Lucchese et al., "QuickScorer", 2015): each node that sends a row to the right takes
 * the leaves on its left away, and the first leaf that is left is where the row ends. No branch depends on a row. */
#define ROWS 512

WIDE void tree_scores(const int64_t *node_ends, const int32_t *features, const float *thresholds,
                      const uint8_t *missing_left, const uint32_t *masks, const int64_t *leaf_starts,
                      const float *leaves, int64_t trees, const float *columns, int64_t rows, float base,
                      float *scores)
{
    uint32_t reachable[ROWS];
    for (int64_t first = 0; first < rows; first += ROWS) {
        const int64_t count = rows - first < ROWS ? rows - first : ROWS;
        float *out = scores + first;
        for (int64_t row = 0; row < count; row++)
            out[row] = base;
        for (int64_t tree = 0, node = 0; tree < trees; tree++) {
            const float *values = leaves + leaf_starts[tree];
            for (int64_t row = 0; row < count; row++)
                reachable[row] = UINT32_MAX;
            for (; node < node_ends[tree]; node++) {
                const float *column = columns + (int64_t)features[node] * rows + first;
                const float threshold = thresholds[node];
                const uint32_t mask = masks[node];
                /* Comparisons with what is missing are false. */
                if (missing_left[node])
                    for (int64_t row = 0; row < count; row++)
                        reachable[row] &= column[row] >= threshold ? mask : UINT32_MAX;
                else
                    for (int64_t row = 0; row < count; row++)
                        reachable[row] &= column[row] < threshold ? UINT32_MAX : mask;
            }
            for (int64_t row = 0; row < count; row++)
                out[row] += values[__builtin_ctz(reachable[row])];
        }
    }
}
