/* The text of store/redis_functions.lua, taken in by the assembler. */
#include "redis_lua.h"

__asm__(".section .rodata\n"
        "redis_functions:\n"
        ".incbin \"store/redis_functions.lua\"\n"
        ".byte 0\n"
        ".previous\n");

extern const char redis_functions[];
const char *const redis_lua_text = redis_functions;
