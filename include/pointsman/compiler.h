/* Attributes the whole project uses. Layer: base. */
#ifndef POINTSMAN_COMPILER_H
#define POINTSMAN_COMPILER_H

#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((__format__(__printf__, text, first)))

/* Whatever its size looks like: what folds away where the arguments are constants, or is called for
 * a few bytes, where the call would cost more. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* Out of the way of its caller's usual path. */
#define COLD __attribute__((cold, noinline))

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#ifdef __cplusplus
#define POINTSMAN_BEGIN extern "C" {
#define POINTSMAN_END   }
#else
#define POINTSMAN_BEGIN
#define POINTSMAN_END
#endif

#endif
