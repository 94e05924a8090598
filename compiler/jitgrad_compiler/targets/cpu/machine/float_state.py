"""The processor's state for floats, made plain while our code runs: denormals kept, rounding to nearest.

Text of two LLVM functions, `plain_floats` and `restore_floats`, for the thread pool and for every program's entry.
"""

# Libraries built with fast-math switch flushing of denormals on for a whole thread. 0x1F80 is the state at reset (Intel SDM
# volume 1, 10.2.3): round to nearest, no flushing, all exceptions masked; the low six bits are sticky flags.
FLOATS_X86 = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i32 @plain_floats() alwaysinline {
entry:
  %slot = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %slot)
  %state = load i32, ptr %slot
  store i32 8064, ptr %slot
  call void @llvm.x86.sse.ldmxcsr(ptr %slot)
  ret i32 %state
}
define internal void @restore_floats(i32 %state) alwaysinline {
entry:
  %slot = alloca i32
  store i32 %state, ptr %slot
  call void @llvm.x86.sse.ldmxcsr(ptr %slot)
  ret void
}
"""

FLOATS_ELSEWHERE = """
define internal i32 @plain_floats() alwaysinline {
  ret i32 0
}
define internal void @restore_floats(i32 %state) alwaysinline {
  ret void
}
"""
