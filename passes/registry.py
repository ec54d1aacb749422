"""Every pass by name: kebab-case name -> (module, class). Imported on use, never scanned."""

from __future__ import annotations

from importlib import import_module

from stepwell.ir.passes import Pass

PASSES: dict[str, tuple[str, str]] = {
    # name: (module under stepwell.passes, class); keep sorted.
    "apply-schedule": ("apply_schedule", "ApplySchedulePass"),
    "bufferize": ("bufferize", "BufferizePass"),
    "canonicalize": ("canonicalize", "CanonicalizePass"),
    "choose-schedules": ("choose_schedules", "ChooseSchedulesPass"),
    "contract-products": ("contract_products", "ContractProductsPass"),
    "convert-chlo-to-stablehlo": ("convert_chlo_to_stablehlo", "ConvertChloToStablehloPass"),
    "convert-stablehlo-to-linalg": ("convert_stablehlo_to_linalg", "ConvertStablehloToLinalgPass"),
    "critical-path": ("critical_path", "CriticalPathPass"),
    "cse": ("cse", "CSEPass"),
    "dce": ("dce", "DCEPass"),
    "decompose-batch-norm": ("decompose_batch_norm", "DecomposeBatchNormPass"),
    "deduplicate-kernels": ("deduplicate_kernels", "DeduplicateKernelsPass"),
    "drop-distribution": ("drop_distribution", "DropDistributionPass"),
    "estimate-costs": ("estimate_costs", "EstimateCostsPass"),
    "expand-custom-calls": ("expand_custom_calls", "ExpandCustomCallsPass"),
    "expand-fft": ("expand_fft", "ExpandFftPass"),
    "expand-linear-algebra": ("expand_linear_algebra", "ExpandLinearAlgebraPass"),
    "expand-math": ("expand_math", "ExpandMathPass"),
    "expand-random": ("expand_random", "ExpandRandomPass"),
    "flatten-tuples": ("flatten_tuples", "FlattenTuplesPass"),
    "fuse-elementwise": ("fuse_elementwise", "FuseElementwisePass"),
    "gpu-outline-kernels": ("gpu_outline_kernels", "GpuOutlineKernelsPass"),
    "inline": ("inline", "InlinePass"),
    "inline-composites": ("inline_composites", "InlineCompositesPass"),
    "legalize-dynamic-ops": ("legalize_dynamic_ops", "LegalizeDynamicOpsPass"),
    "legalize-quantization": ("legalize_quantization", "LegalizeQuantizationPass"),
    "lower-forall-to-rt": ("lower_forall_to_rt", "LowerForallToRtPass"),
    "lower-structured-to-loops": ("lower_structured_to_loops", "LowerStructuredToLoopsPass"),
    "merge-contraction-dims": ("merge_contraction_dims", "MergeContractionDimsPass"),
    "outline-kernels": ("outline_kernels", "OutlineKernelsPass"),
    "place-kernels": ("place_kernels", "PlaceKernelsPass"),
    "plan-kernels": ("plan_kernels", "PlanKernelsPass"),
    "plan-memory": ("plan_memory", "PlanMemoryPass"),
    "prepare-entry": ("prepare_entry", "PrepareEntryPass"),
    "profile-launches": ("profile_launches", "ProfileLaunchesPass"),
    "raise-activation": ("raise_activation", "RaiseActivationPass"),
    "raise-attention": ("raise_attention", "RaiseAttentionPass"),
    "raise-attention-gradient": ("raise_attention_gradient", "RaiseAttentionGradientPass"),
    "raise-convolution": ("raise_convolution", "RaiseConvolutionPass"),
    "raise-norm": ("raise_norm", "RaiseNormPass"),
    "raise-softmax": ("raise_softmax", "RaiseSoftmaxPass"),
    "raise-to-affine": ("raise_to_affine", "RaiseToAffinePass"),
    "refine-shapes": ("refine_shapes", "RefineShapesPass"),
    "split-complex": ("split_complex", "SplitComplexPass"),
    "split-dilated-windows": ("split_dilated_windows", "SplitDilatedWindowsPass"),
    "split-long-softmax": ("split_long_softmax", "SplitLongSoftmaxPass"),
    "symbol-dce": ("symbol_dce", "SymbolDCEPass"),
    "unroll-loops": ("unroll_loops", "UnrollLoopsPass"),
    "verify-critical-path": ("verify_critical_path", "VerifyCriticalPathPass"),
    "winograd-convolution": ("winograd_convolution", "WinogradConvolutionPass"),
}


def get_pass(name: str) -> type[Pass]:
    """The class of the pass called `name`.

    Raises:
        KeyError: no such pass.
    """
    module, cls = PASSES[name]
    return getattr(import_module(f"stepwell.passes.{module}"), cls)
