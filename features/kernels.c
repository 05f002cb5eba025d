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
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDE
#endif

/* Grows whenever a function is called in another way; features/kernels.py refuses any other. */
int64_t revision(void)
{
    return 5;
}

/* How many rows before its turn one is asked of memory: a learner's lie all over a gigabyte. */
#define AHEAD 2
/* The same of rows of a few entries. */
#define FURTHER 16

static void fetch(const void *first, const void *end)
{
    for (const char *line = first; line < (const char *)end; line += 64)
        __builtin_prefetch(line);
}

/* Eight bytes that are 0 or 1 as eight bits, the first byte as the lowest. */
static uint64_t gathered(uint64_t ones)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    ones = __builtin_bswap64(ones);
#endif
    return (ones * UINT64_C(0x0102040810204080)) >> 56;
}

/* Rows of a sparse matrix: those of row r are indices[starts[r]] to indices[starts[r + 1] - 1], and data alike. */

int64_t named_columns(const int64_t *starts, const int32_t *indices, const int64_t *rows, int64_t count, int64_t size,
                      int64_t *near, int32_t *places)
{
    uint8_t *named = calloc((size_t)(size / 64 + 1), 64);
    int64_t found = 0;
    if (named == NULL)
        return -1;
    for (int64_t each = 0; each < count; each++) {
        if (each + AHEAD < count)
            fetch(indices + starts[rows[each + AHEAD]], indices + starts[rows[each + AHEAD] + 1]);
        for (int64_t at = starts[rows[each]]; at < starts[rows[each] + 1]; at++)
            named[indices[at]] = 1;
    }
    memset(places, 0, (size_t)size * sizeof *places);
    for (int64_t first = 0; first < size; first += 64) {
        /* One bit for each of 64 columns, and a turn for each that is named. */
        uint64_t bits = 0;
        for (int64_t eight = 0; eight < 8; eight++) {
            uint64_t ones;
            memcpy(&ones, named + first + 8 * eight, sizeof ones);
            bits |= gathered(ones) << (8 * eight);
        }
        for (; bits; bits &= bits - 1) {
            const int64_t column = first + __builtin_ctzll(bits);
            near[found++] = column;
            places[column] = (int32_t)found;
        }
    }
    free(named);
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
        for (; entry < ends[group]; entry++) {
            if (entry + AHEAD < ends[groups - 1])
                fetch(data + starts[rows[entry + AHEAD]], data + starts[rows[entry + AHEAD] + 1]);
            for (int64_t at = starts[rows[entry]]; at < starts[rows[entry] + 1]; at++)
                total[places ? places[indices[at]] : indices[at]] += (double)data[at] * weights[entry];
        }
        for (int64_t column = 0; column < width; column++)
            sums[group * width + column] = (float)total[column];
    }
    free(total);
    return 0;
}

/* The matrix by columns times a vector of few entries: column c has indices[starts[c]] to indices[starts[c + 1] - 1]. */
void times_vector(const int64_t *starts, const int32_t *indices, const float *data, const int64_t *columns,
                  const float *factors, int64_t count, float *product, int64_t size)
{
    memset(product, 0, (size_t)size * sizeof *product);
    for (int64_t each = 0; each < count; each++) {
        const int64_t last = starts[columns[each] + 1];
        for (int64_t at = starts[columns[each]]; at < last; at++)
            product[indices[at]] += data[at] * factors[each];
    }
}

void rows_times_vector(const int64_t *starts, const int32_t *indices, const float *data, const int64_t *rows,
                       int64_t count, const int32_t *places, const float *vector, float *products)
{
    for (int64_t each = 0; each < count; each++) {
        double total = 0.0;
        if (each + FURTHER < count) {
            __builtin_prefetch(indices + starts[rows[each + FURTHER]]);
            __builtin_prefetch(data + starts[rows[each + FURTHER]]);
        }
        for (int64_t at = starts[rows[each]]; at < starts[rows[each] + 1]; at++)
            total += (double)(data[at] * vector[places[indices[at]]]);
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

/* Offer a value to the best so far, and return how many are held. Of equal values the first stay, as a later one is not
 * larger than the worst. */
static int64_t offer(float *heap, int64_t *order, int64_t held, int64_t count, float value, int64_t place)
{
    if (!(value > (held == count ? heap[0] : 0.0f)))
        return held;
    if (held == count) {
        heap[0] = value;
        order[0] = place;
        sink(heap, order, count, 0);
        return held;
    }
    heap[held] = value;
    order[held++] = place;
    if (held == count)
        for (int64_t from = count / 2; from-- > 0;)
            sink(heap, order, count, from);
    return held;
}

/* The largest eligible values of columns of a table with `width` columns, into which the values are laid row by row. */
WIDE static void largest(const float *values, const uint8_t *eligible, int64_t size, float *tops, int64_t width)
{
    memset(tops, 0, (size_t)width * sizeof *tops);
    for (int64_t first = 0; first < size; first += width) {
        const int64_t count = size - first < width ? size - first : width;
        for (int64_t at = 0; at < count; at++) {
            const float value = eligible[first + at] ? values[first + at] : 0.0f;
            tops[at] = value > tops[at] ? value : tops[at];
        }
    }
}

WIDE static int reaches(const float *values, float bound)
{
    int any = 0;
    for (int at = 0; at < 32; at++)
        any |= values[at] >= bound;
    return any;
}

int64_t best(const float *values, const uint8_t *eligible, int64_t size, int64_t count, int64_t *found)
{
    const int64_t width = 4 * count;
    float *heap = malloc((size_t)(count + width + 1) * sizeof *heap), bound = 0.0f;
    int64_t held = 0;
    if (heap == NULL)
        return -1;
    if (count && size > 2 * width) {
        /* What the largest of some parts reach is a bound that at least as many values reach, and few others. */
        largest(values, eligible, size, heap + count, width);
        for (int64_t at = 0; at < width; at++)
            held = offer(heap, found, held, count, heap[count + at], at);
        bound = held == count ? heap[0] : 0.0f;
        held = 0;
    }
    for (int64_t first = 0; count && first < size; first += 32) {
        const int64_t end = first + 32 < size ? first + 32 : size;
        if (end == first + 32 && !reaches(values + first, bound))
            continue;
        for (int64_t at = first; at < end; at++)
            if (values[at] >= bound && eligible[at])
                held = offer(heap, found, held, count, values[at], at);
    }
    free(heap);
    return held;
}

/* Trees as lists of conditions (Lucchese et al., "QuickScorer", 2015): each node that sends a row to the right takes
 * the leaves on its left away, and the first leaf that is left is where the row ends. No branch depends on a row. */
#define EIGHTS 8
#define ROWS (8 * EIGHTS)

typedef float Values __attribute__((vector_size(32)));
typedef uint32_t Bits __attribute__((vector_size(32)));

WIDE int tree_scores(const int64_t *node_ends, const int32_t *features, const float *thresholds,
                     const uint8_t *missing_left, const uint32_t *masks, const int64_t *leaf_starts,
                     const float *leaves, int64_t trees, const float *columns, int64_t rows, int64_t width, float base,
                     float *scores)
{
    Values *tile = aligned_alloc(sizeof *tile, (size_t)(width ? width : 1) * EIGHTS * sizeof *tile);
    if (tile == NULL)
        return -1;
    memset(tile, 0, (size_t)width * EIGHTS * sizeof *tile);
    for (int64_t first = 0; first < rows; first += ROWS) {
        const int64_t count = rows - first < ROWS ? rows - first : ROWS;
        float out[ROWS];
        for (int64_t column = 0; column < width; column++)
            memcpy(tile + column * EIGHTS, columns + column * rows + first, (size_t)count * sizeof *columns);
        for (int64_t row = 0; row < ROWS; row++)
            out[row] = base;
        for (int64_t tree = 0, node = 0; tree < trees; tree++) {
            const float *values = leaves + leaf_starts[tree];
            Bits reachable[EIGHTS];
            memset(reachable, 255, sizeof reachable);
            for (; node < node_ends[tree]; node++) {
                const Values *column = tile + (int64_t)features[node] * EIGHTS;
                const float threshold = thresholds[node];
                const uint32_t mask = masks[node];
                /* Comparisons with what is missing are false. */
                if (missing_left[node])
#pragma GCC unroll 8
                    for (int each = 0; each < EIGHTS; each++)
                        reachable[each] &= ~(Bits)(column[each] >= threshold) | mask;
                else
#pragma GCC unroll 8
                    for (int each = 0; each < EIGHTS; each++)
                        reachable[each] &= (Bits)(column[each] < threshold) | mask;
            }
            uint32_t left[ROWS];
            memcpy(left, reachable, sizeof left);
            for (int64_t row = 0; row < ROWS; row++)
                out[row] += values[__builtin_ctz(left[row])];
        }
        memcpy(scores + first, out, (size_t)count * sizeof *scores);
    }
    free(tile);
    return 0;
}

/* Each value as its place among the ascending knots of its column, from -reach at the first to reach at the last, and
 * what is missing as 0. Whether a value reaches a knot is a number and not a branch, so that rows go side by side. */
WIDE void knot_places(const float *knots, const int64_t *counts, int64_t width, int64_t most, float reach,
                      const float *vectors, int64_t rows, int64_t row_step, int64_t column_step, float *out,
                      int64_t out_width)
{
    for (int64_t column = 0; column < width; column++) {
        const float *own = knots + column * most;
        const int32_t last = (int32_t)counts[column] - 1;
        if (last == 0) {
            for (int64_t row = 0; row < rows; row++)
                out[row * out_width + column] = 0.0f;
            continue;
        }
        const float scale = 2.0f * reach / (float)last;
        for (int64_t first = 0; first < rows; first += ROWS) {
            const int64_t count = rows - first < ROWS ? rows - first : ROWS;
            /* Whole groups of eight: a list's first places are fewer than a tile. */
            const int32_t lanes = (int32_t)(count + 7) / 8 * 8;
            float values[ROWS], placed[ROWS];
            int32_t at[ROWS];
            memset(values, 0, sizeof values);
            for (int64_t row = 0; row < count; row++)
                values[row] = vectors[(first + row) * row_step + column * column_step];
            memset(at, 0, sizeof at);
            for (int32_t step = (int32_t)most / 2; step > 0; step /= 2)
                for (int32_t row = 0; row < lanes; row++)
                    at[row] += values[row] >= own[at[row] + step] ? step : 0;
            for (int32_t row = 0; row < lanes; row++) {
                const int32_t here = at[row] < last ? at[row] : last - 1;
                float part = (values[row] - own[here]) / (own[here + 1] - own[here]);
                part = part > 0.0f ? part : 0.0f;
                part = part < 1.0f ? part : 1.0f;
                placed[row] = ((float)here + part) * scale - reach;
                placed[row] = values[row] == values[row] ? placed[row] : 0.0f;
            }
            for (int64_t row = 0; row < count; row++)
                out[(first + row) * out_width + column] = placed[row];
        }
    }
}
