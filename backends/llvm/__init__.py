"""The LLVM IR writer, by concept: types, arith, math, memref, vector, control flow, parallel, module; gpu, nvgpu, nvptx for devices."""
