"""Names of jax, NumPy and PyTorch that jitgrad's modules do not have, with what to use; else the nearest name.

In: a module's name and the name that was asked for. Out: the text of the error. Asked by missing.py.
"""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches

ONE_DEVICE = "There is one device, the processor, whose cores every program uses; vmap, with axis_name, batches"
SMALL_FLOATS = "Floats are float16, bfloat16, float32, float64 and float8_e4m3fn"
IMMUTABLE = "Arrays never change; carry the value through the function, x = x.at[i].set(v)"

ABSENT: dict[str, dict[str, str]] = {
    "jitgrad": {
        "Use jitgrad.vmap. " + ONE_DEVICE: "pmap xmap smap soft_pmap",
        ONE_DEVICE: (
            "NamedSharding P Shard make_mesh set_mesh reshard distributed make_array_from_callback "
            "make_array_from_single_device_arrays make_array_from_process_local_data auto_pcast process_indices host_id "
            "host_count host_ids default_device experimental_shard_map"
        ),
        "Use jitgrad.tree": (
            "tree_map tree_flatten tree_unflatten tree_leaves tree_structure tree_transpose tree_reduce tree_all tree_multimap "
            "treedef_is_leaf"
        ),
        "Use jitgrad.custom_jvp or custom_vjp; operations batch by themselves": "custom_batching custom_vmap",
        "Use jitgrad.pure_callback, io_callback or debug.callback": "host_callback",
        "Use jitgrad.jit(f).lower(x).compile(), whose .as_text(), .assembly() and .cost_analysis() show the program": (
            "export xla_computation"
        ),
        "Use jitgrad.make_graph": "interpreters make_expr",
        "Use f.clear_cache() of a jitted function": "clear_caches clear_backends",
        "Use jitgrad.lax, where slices are made": "ds",
        IMMUTABLE: "Ref new_ref empty_ref free_ref freeze ref",
        "Use jitgrad.numpy.from_dlpack": "dlpack",
        "Use jitgrad.nn.softmax, whose derivative is the same": "softmax_custom_jvp",
        "Use jitgrad.config": (
            "log_compiles explain_cache_misses transfer_guard check_tracer_leaks checking_leaks enable_checks "
            "threefry_partitionable default_prng_impl enable_custom_prng "
            "legacy_prng_key"
        ),
        "Use Python's profilers, and .cost_analysis() of a compiled function": "profiler monitoring",
        "Use jitgrad.stop_gradient, or call the function outside of grad": "no_grad inference_mode",
        "Use jitgrad.grad": "backward autograd GradientTape",
        "Use jitgrad.numpy.array": "tensor Tensor Variable",
        "Use jitgrad.io.save": "save",
        "Use jitgrad.io.load": "load",
    },
    "jitgrad.io": {
        "Use jitgrad.io.save(path, tree)": "save_file dump to_bytes save_pytree save_model save_weights savez",
        "Use jitgrad.io.load(path, like=tree)": "load_file safe_open from_bytes load_pytree load_model load_weights",
        "Use jitgrad.io.Checkpoints": "CheckpointManager Checkpointer PyTreeCheckpointer save_checkpoint restore_checkpoint",
        "Use jitgrad.io.load_torch(module, path)": "from_torch load_state_dict from_pretrained",
        "Use jitgrad.io.save_torch(path, module)": "to_torch state_dict",
        "Use jitgrad.io.load_keras(module, source)": "from_keras",
    },
    "jitgrad.numpy": {
        "Use jitgrad.random": "random rand randn randint",
        SMALL_FLOATS: (
            "float8_e5m2 float8_e4m3 float8_e3m4 float8_e4m3b11fnuz float8_e4m3fnuz "
            "float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn float6_e2m3fn float6_e3m2fn"
        ),
        "Integers are int8 to int64 and uint8 to uint64": "int1 int2 int4 uint1 uint2 uint4 long longlong ulong intp",
        "Use jitgrad.numpy.float16": "half",
        "Use jitgrad.numpy.float32 or float64": "float float_ Float",
        "Use jitgrad.numpy.int32 or int64": "int",
        "Use jitgrad.numpy.complex64 or complex128": "complex complex_",
        "Use jitgrad.numpy.bool_": "bool8",
        "Arrays hold numbers and bools": "object object_ str str_ string_ bytes_ void datetime64 timedelta64 character flexible",
        "Use jitgrad.numpy.concatenate": "cat",
        "Use jitgrad.numpy.expand_dims": "unsqueeze newdim",
        "Use jitgrad.numpy.array or asarray": "tensor Tensor as_tensor from_numpy asanyarray asfarray constant Variable",
        "Use jitgrad.numpy.matmul": "mm bmm",
        "Use jitgrad.numpy.isin": "in1d",
        "Use jitgrad.numpy.trapezoid": "trapz",
        "Use jitgrad.numpy.vstack": "row_stack",
        "Use jitgrad.numpy.prod": "product",
        "Use jitgrad.numpy.cumprod": "cumproduct",
        "Use jitgrad.numpy.any": "sometrue",
        "Use jitgrad.numpy.all": "alltrue",
        "Use jitgrad.numpy.sort": "msort",
        "Use jitgrad.numpy.round": "round_",
        "Use jitgrad.numpy.nan": "NaN NAN",
        "Use jitgrad.numpy.inf": "Inf Infinity infty PINF",
        "Use jitgrad.numpy.array with two axes": "matrix mat asmatrix bmat",
        "Use x = x.at[i].set(v): arrays never change": "copyto",
        "Use numpy's, and jitgrad.numpy.asarray of the result": (
            "savetxt loadtxt genfromtxt memmap nditer ndenumerate ndindex errstate seterr testing array2string "
            "format_float_positional"
        ),
        "Use jitgrad.lax.stop_gradient": "detach",
        "Use jitgrad.nn": "functional",
        "Use jitgrad.numpy.asarray: arrays are contiguous": "ascontiguousarray asfortranarray require",
    },
    "jitgrad.lax": {
        "A maximum of windows is lax.reduce_window, which has derivatives": (
            "select_and_scatter_add select_and_gather_add select_and_scatter"
        ),
        ONE_DEVICE: "pcast pvary psend precv ragged_all_to_all infeed outfeed after_all create_token",
        "Use jitgrad.lax.dot_general": "scaled_dot DotAlgorithm DotAlgorithmPreset",
        "Use jitgrad.random": "rng_uniform rng_bit_generator RandomAlgorithm",
        "Use the function itself; a platform is the processor": "composite",
        "Operations are Graph equations here: jitgrad.make_graph(f)(x) shows them": (
            "add_p mul_p sub_p div_p dot_general_p while_p scan_p cond_p psum_p custom_jvp_call_p pjit_p"
        ),
    },
    "jitgrad.nn": {
        "Use jitgrad.nn.MultiHeadAttention": "MultiheadAttention",
        "Use the layer jitgrad.nn.Dropout; nn.apply(model, x, train=True, key=key) gives it a key": (
            "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"
        ),
        "Use jitgrad.nn.Conv1d, Conv2d or Conv3d": "Conv Conv1D Conv2D Conv3D Convolution",
        "Use jitgrad.nn.MaxPool2d": "MaxPool MaxPooling1D MaxPooling2D MaxPooling3D",
        "Use jitgrad.nn.AvgPool2d": "AvgPool AveragePooling1D AveragePooling2D AveragePooling3D",
        "Use jitgrad.nn.GlobalAvgPool": "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
        "Use jitgrad.nn.GlobalMaxPool": "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
        "Assign the array to an attribute of the module: self.name = array": "Parameter ParameterList ParameterDict",
        "Assign a list or a dict of modules to an attribute: self.layers = [...]": "ModuleList ModuleDict",
        "Functions are in jitgrad.nn itself": "functional",
        "Use jitgrad.nn.initializers, for a layer's weight_init": "init",
        "Gradients are clipped by jitgrad.optim.clip_by_global_norm, in a chain before the optimizer": (
            "utils clip_grad_norm_ clip_grad_value_"
        ),
        ONE_DEVICE: "DataParallel parallel",
        "Layers find their input's size with None in its place, as nn.Linear(None, 10), by nn.build or in nn.apply": (
            "LazyLinear LazyConv1d LazyConv2d LazyConv3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d"
        ),
        "Use jitgrad.nn.ctc_loss": "CTCLoss",
        "Use jitgrad.nn.ctc_greedy_decode or ctc_beam_decode": (
            "ctc_decode ctc_decoder ctc_beam_search_decoder ctc_greedy_decoder"
        ),
        "Use jitgrad.io.save(path, module), or save_torch for PyTorch": "save save_torch",
        "Use jitgrad.io.load(path, like=module)": "load",
        "Use jitgrad.io.load_keras": "load_keras",
        "Losses are functions: jitgrad.nn.losses.cross_entropy": "cross_entropy CrossEntropyLoss softmax_cross_entropy",
        "Losses are functions: jitgrad.nn.losses.nll": "nll_loss NLLLoss",
        "Losses are functions: jitgrad.nn.losses.mse": "mse_loss MSELoss",
        "Losses are functions: jitgrad.nn.losses.mae": "l1_loss L1Loss",
        "Losses are functions: jitgrad.nn.losses.huber": "huber_loss HuberLoss smooth_l1_loss SmoothL1Loss",
        "Losses are functions: jitgrad.nn.losses.binary_cross_entropy_with_logits": (
            "binary_cross_entropy binary_cross_entropy_with_logits BCELoss BCEWithLogitsLoss sigmoid_binary_cross_entropy"
        ),
        "Losses are functions: jitgrad.nn.losses.kl_divergence": "kl_div KLDivLoss",
        "Losses are functions: jitgrad.nn.losses.triplet": "triplet_margin_loss TripletMarginLoss",
        "Losses are functions: jitgrad.nn.losses.cosine": "cosine_embedding_loss CosineEmbeddingLoss",
        "Use jitgrad.nn.dot_product_attention": "scaled_dot_product_attention",
        "Use jitgrad.numpy.pad, or layers such as jitgrad.nn.ZeroPad2d": "pad ZeroPadding1D ZeroPadding2D ZeroPadding3D",
        "Use jitgrad.nn.Upsample": "UpSampling1D UpSampling2D UpSampling3D UpsamplingNearest2d UpsamplingBilinear2d upsample",
        "Use the layer: a name that begins with a capital": "pixel_shuffle pixel_unshuffle unfold fold embedding embedding_bag",
    },
    "jitgrad.random": {
        "Make a key with jitgrad.random.key(seed)": "manual_seed default_rng RandomState Generator get_state set_state",
        "Use jitgrad.random.normal": "randn standard_normal gauss",
        "Use jitgrad.random.uniform": "rand random random_sample ranf sample",
        "Use jitgrad.random.permutation": "shuffle randperm",
        "Use jitgrad.random.randint": "integers random_integers",
        "Use jitgrad.random.choice": "choices",
    },
    "jitgrad.data": {
        "Use jitgrad.data.from_arrays(x, y).shuffle().batch(n), which can be gone through like a DataLoader": (
            "DataLoader TensorDataset from_tensor_slices from_tensors ArrayDataset BatchSampler RandomSampler"
        ),
        "Datasets have a length and numbered elements: give yours to jitgrad.data.from_indexable": "MapDataset IterDataPipe",
        "Use jitgrad.data.from_iterable": "IterableDataset from_generator",
        "Use jitgrad.data.train_test_split, which takes datasets, too": "random_split Subset StratifiedShuffleSplit",
        "Use jitgrad.data.image_folder": "ImageFolder image_dataset_from_directory ImageDataGenerator flow_from_directory",
        "Use jitgrad.data.Standardizer.fit(x_train)": "StandardScaler standardise standardize Normalization",
        "Use jitgrad.data.one_hot": "OneHotEncoder LabelBinarizer get_dummies",
        "Use jitgrad.data.RandomFlip": "RandomHorizontalFlip RandomVerticalFlip random_flip_left_right",
        "Use jitgrad.data.RandomCrop": "RandomResizedCrop CenterCrop random_crop RandomTranslation",
        "Images are arrays already; jitgrad.data.Normalize divides bytes by 255": "ToTensor ToPILImage Rescaling",
        "Give the steps to a dataset: .augment(step, step, seed=0)": "Compose transforms",
        "Use jitgrad.data.concatenate": "ConcatDataset ChainDataset",
        "Use jitgrad.data.zip": "StackDataset",
        "Use jitgrad.data.pad_sequences": "pad_sequence pad",
        "Use jitgrad.data.read_mnist": "mnist MNIST FashionMNIST fashion_mnist KMNIST",
        "Use jitgrad.data.read_cifar10 or read_cifar100": "cifar10 cifar100 CIFAR10 CIFAR100",
        "Threads are a number: .prefetch(4, threads=2)": "AUTOTUNE experimental",
        "Batches of one shape are stacked; .map(f) in front of .batch(n) makes them so": "default_collate collate padded_batch",
    },
    "jitgrad.scipy": {"Use SciPy's, outside of transforms": "io constants odr datasets"},
    "jitgrad.scipy.integrate": {
        "Use jitgrad.experimental.ode.odeint": "odeint solve_ivp RK45 ode",
        "Use jitgrad.numpy.cumsum of the trapezoids' areas": "cumulative_trapezoid cumtrapz",
        "Use SciPy's, outside of transforms": "quad dblquad tplquad nquad quad_vec simpson romb fixed_quad",
    },
    "jitgrad.scipy.optimize": {
        "Use jitgrad.scipy.optimize.minimize or jitgrad.optim": "fmin fmin_bfgs fmin_l_bfgs_b fmin_cg minimize_scalar",
        "Use jitgrad.lax.custom_root around a solver": "root root_scalar fsolve newton brentq bisect",
        "Use SciPy's, outside of transforms": "linprog curve_fit least_squares differential_evolution linear_sum_assignment",
    },
    "jitgrad.metrics": {
        "Use jitgrad.metrics.label_error_rate": (
            "word_error_rate WordErrorRate wer WER char_error_rate CharErrorRate cer edit_distance EditDistance"
        ),
    },
    "jitgrad.audio": {
        "Use jitgrad.audio.spectrogram": "stft Spectrogram STFT",
        "Use jitgrad.audio.log_mel_spectrogram": "MelSpectrogram melspectrogram mel_spectrogram mfcc MFCC AmplitudeToDB",
        "Use jitgrad.audio.mel_filters": "melscale_fbanks MelScale",
        "Use jitgrad.data.read_wav": "load read_wav",
        "Use jitgrad.data.resample": "resample Resample",
    },
    "jitgrad.train.models": {
        "Make the model anew and use model.load(path) or model.load_weights(path), of what model.save or save_weights wrote": (
            "load_model model_from_json model_from_config clone_model save_model"
        ),
    },
    "jitgrad.optim": {
        "Use jitgrad.optim.adam": "Adam",
        "Use jitgrad.optim.adamw": "AdamW",
        "Use jitgrad.optim.sgd": "SGD",
        "Use jitgrad.optim.rmsprop": "RMSprop RMSProp",
        "Use the same name in small letters": "Adagrad Adadelta Adamax NAdam Nadam RAdam Lion Lamb Lars Adafactor Muon LBFGS",
        "Use jitgrad.optim.reduce_on_plateau": "ReduceLROnPlateau",
        "Use jitgrad.optim.piecewise_constant_schedule or exponential_decay": "StepLR MultiStepLR ExponentialLR",
        "Use a schedule as the learning rate": "lr_scheduler",
    },
}
"""For each module advice, and the names it is for."""

ELSEWHERE = (
    "jitgrad", "jitgrad.numpy", "jitgrad.nn", "jitgrad.lax", "jitgrad.random", "jitgrad.scipy.special", "jitgrad.tree",
    "jitgrad.ops", "jitgrad.optim", "jitgrad.scipy.stats", "jitgrad.tree_util", "jitgrad.testing",
    "jitgrad.data",
)  # fmt: skip
"""Modules where a name may be that was looked for in another one, in this order."""


def advice(module: str, name: str) -> str:
    """The whole text for `module.name`."""
    start = f"{module}.{name} is not in jitgrad"
    for text, names in ABSENT.get(module, {}).items():
        if name in names.split():
            return f"{start}. {text}."
    for other in ELSEWHERE:
        if name in getattr(importlib.import_module(other), "__all__", ()):
            return f"{start}. Use {other}.{name}."
    found = sys.modules[module]
    members = [m for m in getattr(found, "__all__", dir(found)) if not m.startswith("_")]
    near = [m for m in members if m.lower() == name.lower()] or get_close_matches(name, members, 1, 0.7)
    near = near or get_close_matches(name.lower(), members, 1, 0.7)
    return f"{start}. Did you mean {module}.{near[0]}?" if near else f"{start}: module {module!r} has no attribute {name!r}."
