"""Stand-ins for cuSOLVER and cuBLAS, which compute by SciPy in the memory of a stand-in of the driver.

Functions have the parameters of the headers (cusolverDn.h, cublas_api.h), by their names. What they are told to read and write is
looked at: whether it is memory of the device, or the host's where that is meant, sizes of workspaces, handles and streams. Work is
done when the device comes to it.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from .standin import StandIn

DTYPES = {"S": np.float32, "D": np.float64, "C": np.complex64, "Z": np.complex128}
CUDA_TYPES = {0: np.float32, 1: np.float64, 4: np.complex64, 5: np.complex128}
STREAM_NOT_SET = -1


class Library:
    """`calls`: how often each function was asked; `missing`: functions that this version has not; `refuses`: the status that the
    next call of a function gives; `info`: what iterations say of how they went.
    """

    prefix: str

    def __init__(self, driver: StandIn, missing: tuple[str, ...] = ()) -> None:
        self.driver, self.missing = driver, missing
        self.calls: Counter[str] = Counter()
        self.stream = STREAM_NOT_SET
        self._handle = ctypes.create_string_buffer(8)
        self.handle = ctypes.addressof(self._handle)
        self.info, self.refuses = 0, {}

    def __getattr__(self, name: str) -> Callable[..., int]:
        plain = getattr(type(self), f"plain_{name}", None)
        found = None if plain else re.fullmatch(rf"{self.prefix}([SDCZ])(\w+)", name)
        method, letter = (getattr(type(self), f"of_{found[2]}", None), found[1]) if found else (plain, "")
        of_other = found is not None and found[2][:2] in (("un", "he") if letter in "SD" else ("or", "sy"))
        if method is None or name in self.missing or of_other:
            raise AttributeError(name)

        def ask(*arguments: int) -> int:
            self.calls[name] += 1
            assert all(isinstance(a, int) for a in arguments), (name, arguments)
            if name in self.refuses:
                return self.refuses.pop(name)
            status = method(self, *([DTYPES[letter]] if letter else []), *arguments)
            return 0 if status is None else status

        return ask

    def check(self, handle: int, stream: bool = True) -> None:
        assert handle == self.handle, f"{handle} is no handle of {type(self).__name__}"
        assert not stream or self.stream == self.driver.stream, "no stream was set"

    def there(self, address: int, nbytes: int) -> int:
        """An address of the device's memory."""
        self.driver._within(type(self).__name__, address, max(nbytes, 1))
        return address

    def here(self, address: int) -> int:
        """An address of the host's."""
        assert address and self.driver._at(address) is None, f"{address:#x} is not the host's"
        return address

    def matrix(self, address: int, rows: int, columns: int, ld: int, dtype: Any) -> Callable[[], np.ndarray]:
        """A matrix by columns in the device's memory."""
        assert ld >= max(rows, 1), f"a leading dimension of {ld} for {rows} rows"
        self.there(address, ((columns - 1) * ld + rows) * np.dtype(dtype).itemsize)
        return lambda: _view(address, ld * columns, dtype).reshape(columns, ld).T[:rows]

    def many(self, addresses: int, count: int, rows: int, columns: int, ld: int, dtype: Any) -> Callable[[], list[np.ndarray]]:
        """Such matrices by the array of their addresses, which is on the device."""
        self.there(addresses, 8 * count)
        return lambda: [self.matrix(int(a), rows, columns, ld, dtype)() for a in _view(addresses, count, np.int64)]

    def vector(self, address: int, count: int, dtype: Any) -> Callable[[], np.ndarray]:
        self.there(address, count * np.dtype(dtype).itemsize)
        return lambda: _view(address, count, dtype)

    def room(self, address: int, size: int, wanted: int, dtype: Any = np.uint8) -> Callable[[], np.ndarray]:
        """Memory to work in, which is written to."""
        assert size >= wanted, f"{size} elements to work in, {wanted} were wanted"
        return self.vector(address, size, dtype)

    def later(self, run: Callable[[], None]) -> None:
        self.driver._ask(run)


def _view(address: int, count: int, dtype: Any) -> np.ndarray:
    return np.frombuffer((ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address), dtype)


def _lapack(name: str, dtype: Any) -> Any:
    return scipy.linalg.get_lapack_funcs((name,), dtype=dtype)[0]


def _tell(address: int, value: int) -> None:
    ctypes.c_int.from_address(address).value = value


class CuSolver(Library):
    prefix = "cusolverDn"

    def plain_cusolverDnCreate(self, handle: int) -> None:
        ctypes.c_void_p.from_address(self.here(handle)).value = self.handle

    plain_cusolverDnCreateParams = plain_cusolverDnCreateGesvdjInfo = plain_cusolverDnCreate

    def plain_cusolverDnSetStream(self, handle: int, streamId: int) -> None:
        self.check(handle, stream=False)
        self.stream = streamId

    def of_potrf_bufferSize(self, dtype: Any, handle: int, uplo: int, n: int, A: int, lda: int, Lwork: int) -> None:
        self.check(handle)
        self.matrix(A, n, n, lda, dtype)
        _tell(self.here(Lwork), n + 3)

    def _potrf(self, a: np.ndarray, uplo: int) -> int:
        found, info = _lapack("potrf", a.dtype)(a, lower=int(uplo == 0), clean=0)
        a[...] = found
        return int(info)

    def of_potrf(
        self, dtype: Any, handle: int, uplo: int, n: int, A: int, lda: int, Workspace: int, Lwork: int, devInfo: int
    ) -> None:
        self.check(handle)
        a, info, room = self.matrix(A, n, n, lda, dtype), self.vector(devInfo, 1, "i4"), self.room(Workspace, Lwork, n + 3, dtype)

        def run() -> None:
            room()[:] = 7
            info()[0] = self._potrf(a(), uplo)

        self.later(run)

    def of_potrfBatched(
        self, dtype: Any, handle: int, uplo: int, n: int, Aarray: int, lda: int, infoArray: int, batchSize: int
    ) -> None:
        self.check(handle)
        matrices, info = self.many(Aarray, batchSize, n, n, lda, dtype), self.vector(infoArray, batchSize, "i4")

        def run() -> None:
            info()[:] = [self._potrf(a, uplo) for a in matrices()]

        self.later(run)

    def of_getrf_bufferSize(self, dtype: Any, handle: int, m: int, n: int, A: int, lda: int, Lwork: int) -> None:
        self.check(handle)
        self.matrix(A, m, n, lda, dtype)
        _tell(self.here(Lwork), m + n)

    def of_getrf(
        self, dtype: Any, handle: int, m: int, n: int, A: int, lda: int, Workspace: int, devIpiv: int, devInfo: int
    ) -> None:
        self.check(handle)
        a, room = self.matrix(A, m, n, lda, dtype), self.room(Workspace, m + n, m + n, dtype)
        pivots, info = self.vector(devIpiv, min(m, n), "i4"), self.vector(devInfo, 1, "i4")

        def run() -> None:
            room()[:] = 7
            a()[...], found, info()[0] = _lapack("getrf", dtype)(a())
            pivots()[:] = found + 1

        self.later(run)

    def of_getrs(
        self, dtype: Any, handle: int, trans: int, n: int, nrhs: int, A: int, lda: int, devIpiv: int, B: int, ldb: int, devInfo: int
    ) -> None:
        self.check(handle)
        a, b = self.matrix(A, n, n, lda, dtype), self.matrix(B, n, nrhs, ldb, dtype)
        pivots, info = self.vector(devIpiv, n, "i4"), self.vector(devInfo, 1, "i4")

        def run() -> None:
            b()[...], info()[0] = _lapack("getrs", dtype)(a(), pivots() - 1, b(), trans=trans)

        self.later(run)

    def of_geqrf_bufferSize(self, dtype: Any, handle: int, m: int, n: int, A: int, lda: int, lwork: int) -> None:
        self.check(handle)
        self.matrix(A, m, n, lda, dtype)
        _tell(self.here(lwork), 2 * n + 1)

    def of_geqrf(
        self, dtype: Any, handle: int, m: int, n: int, A: int, lda: int, TAU: int, Workspace: int, Lwork: int, devInfo: int
    ) -> None:
        self.check(handle)
        a, taus = self.matrix(A, m, n, lda, dtype), self.vector(TAU, min(m, n), dtype)
        room, info = self.room(Workspace, Lwork, 2 * n + 1, dtype), self.vector(devInfo, 1, "i4")

        def run() -> None:
            room()[:] = 7
            a()[...], taus()[:], _, info()[0] = _lapack("geqrf", dtype)(a())

        self.later(run)

    def of_orgqr_bufferSize(self, dtype: Any, handle: int, m: int, n: int, k: int, A: int, lda: int, tau: int, lwork: int) -> None:
        self.check(handle)
        assert m >= n >= k >= 0, (m, n, k)
        self.matrix(A, m, n, lda, dtype)
        self.vector(tau, k, dtype)
        _tell(self.here(lwork), 3 * n)

    of_ungqr_bufferSize = of_orgqr_bufferSize

    def of_orgqr(
        self, dtype: Any, handle: int, m: int, n: int, k: int, A: int, lda: int, tau: int, work: int, lwork: int, info: int
    ) -> None:
        self.check(handle)
        a, taus = self.matrix(A, m, n, lda, dtype), self.vector(tau, k, dtype)
        room, told = self.room(work, lwork, 3 * n, dtype), self.vector(info, 1, "i4")

        def run() -> None:
            room()[:] = 7
            name = "ungqr" if np.dtype(dtype).kind == "c" else "orgqr"
            a()[...], _, told()[0] = _lapack(name, dtype)(a(), taus())

        self.later(run)

    of_ungqr = of_orgqr

    def of_syevd_bufferSize(
        self, dtype: Any, handle: int, jobz: int, uplo: int, n: int, A: int, lda: int, W: int, lwork: int
    ) -> None:
        self.check(handle)
        self.matrix(A, n, n, lda, dtype)
        self.vector(W, n, np.dtype(dtype).type(0).real.dtype)
        _tell(self.here(lwork), 4 * n)

    of_heevd_bufferSize = of_syevd_bufferSize

    def _syevd(self, a: np.ndarray, w: np.ndarray, jobz: int, uplo: int) -> int:
        run = _lapack("heevd" if a.dtype.kind == "c" else "syevd", a.dtype)
        w[:], v, info = run(a, compute_v=jobz, lower=int(uplo == 0))
        a[...] = v if jobz else np.nan
        return int(info) or self.info

    def of_syevd(
        self, dtype: Any, handle: int, jobz: int, uplo: int, n: int, A: int, lda: int, W: int, work: int, lwork: int, info: int
    ) -> None:
        self.check(handle)
        a, w = self.matrix(A, n, n, lda, dtype), self.vector(W, n, np.dtype(dtype).type(0).real.dtype)
        room, told = self.room(work, lwork, 4 * n, dtype), self.vector(info, 1, "i4")

        def run() -> None:
            room()[:] = 7
            told()[0] = self._syevd(a(), w(), jobz, uplo)

        self.later(run)

    of_heevd = of_syevd

    def plain_cusolverDnXsyevBatched_bufferSize(
        self, handle: int, params: int, jobz: int, uplo: int, n: int, dataTypeA: int, A: int, lda: int, dataTypeW: int, W: int,
        computeType: int, workspaceInBytesOnDevice: int, workspaceInBytesOnHost: int, batchSize: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        self.check(params)
        assert computeType == dataTypeA and CUDA_TYPES[dataTypeA](0).real.dtype == CUDA_TYPES[dataTypeW]
        for address, size in ((workspaceInBytesOnDevice, 50), (workspaceInBytesOnHost, 20)):
            ctypes.c_size_t.from_address(self.here(address)).value = size

    def plain_cusolverDnXsyevBatched(
        self, handle: int, params: int, jobz: int, uplo: int, n: int, dataTypeA: int, A: int, lda: int, dataTypeW: int, W: int,
        computeType: int, bufferOnDevice: int, workspaceInBytesOnDevice: int, bufferOnHost: int, workspaceInBytesOnHost: int,
        info: int, batchSize: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        self.check(params)
        dtype, real = CUDA_TYPES[dataTypeA], CUDA_TYPES[dataTypeW]
        assert lda == n and computeType == dataTypeA and workspaceInBytesOnHost >= 20
        whole, values = self.matrix(A, n, n * batchSize, n, dtype), self.vector(W, n * batchSize, real)
        room, told = self.room(bufferOnDevice, workspaceInBytesOnDevice, 50), self.vector(info, batchSize, "i4")
        ctypes.memset(self.here(bufferOnHost), 7, workspaceInBytesOnHost)

        def run() -> None:
            room()[:] = 7
            for b in range(batchSize):
                part = slice(b * n, (b + 1) * n)
                told()[b] = self._syevd(whole()[:, part], values()[part], jobz, uplo)

        self.later(run)

    def of_gesvd_bufferSize(self, dtype: Any, handle: int, m: int, n: int, lwork: int) -> None:
        self.check(handle)
        assert m >= n
        _tell(self.here(lwork), 5 * m)

    def of_gesvd(
        self, dtype: Any, handle: int, jobu: int, jobvt: int, m: int, n: int, A: int, lda: int, S: int, U: int, ldu: int, VT: int,
        ldvt: int, work: int, lwork: int, rwork: int, info: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        assert m >= n
        real = np.dtype(dtype).type(0).real.dtype
        a, s, room = self.matrix(A, m, n, lda, dtype), self.vector(S, n, real), self.room(work, lwork, 5 * m, dtype)
        told, rest = self.vector(info, 1, "i4"), self.vector(rwork, n - 1, real)
        wanted, full = chr(jobu) != "N", chr(jobu) == "A"
        assert (chr(jobu), chr(jobvt)) in (("N", "N"), ("A", "S"), ("S", "S"), ("A", "A"))
        u = self.matrix(U, m, m if full else n, ldu, dtype) if wanted else None
        vt = self.matrix(VT, n, n, ldvt, dtype) if wanted else None

        def run() -> None:
            room()[:] = 7
            rest()[:] = 7
            found, values, other, told()[0] = _lapack("gesvd", dtype)(a(), compute_uv=int(wanted), full_matrices=int(full))
            s()[:], a()[...] = values, 7
            told()[0] = told()[0] or self.info
            if u is not None and vt is not None:
                u()[...], vt()[...] = found, other

        self.later(run)

    def of_gesvdjBatched_bufferSize(
        self, dtype: Any, handle: int, jobz: int, m: int, n: int, A: int, lda: int, S: int, U: int, ldu: int, V: int, ldv: int,
        lwork: int, params: int, batchSize: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        self.check(params)
        _tell(self.here(lwork), 9 * batchSize)

    def of_gesvdjBatched(
        self, dtype: Any, handle: int, jobz: int, m: int, n: int, A: int, lda: int, S: int, U: int, ldu: int, V: int, ldv: int,
        work: int, lwork: int, info: int, params: int, batchSize: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        self.check(params)
        assert m <= 32 and n <= 32 and (lda, ldu, ldv) == (m, m, n) and jobz == 1
        real = np.dtype(dtype).type(0).real.dtype
        a, s = self.matrix(A, m, n * batchSize, m, dtype), self.vector(S, min(m, n) * batchSize, real)
        u, v = self.matrix(U, m, m * batchSize, m, dtype), self.matrix(V, n, n * batchSize, n, dtype)
        room, told = self.room(work, lwork, 9 * batchSize, dtype), self.vector(info, batchSize, "i4")

        def run() -> None:
            room()[:] = 7
            for b in range(batchSize):
                one = slice(b * n, (b + 1) * n)
                left, values, right = scipy.linalg.svd(a()[:, one])
                s()[b * min(m, n) : (b + 1) * min(m, n)] = values
                u()[:, b * m : (b + 1) * m], v()[:, one], told()[b] = left, right.conj().T, self.info

        self.later(run)


class CuBlas(Library):
    prefix = "cublas"

    def plain_cublasCreate_v2(self, handle: int) -> None:
        ctypes.c_void_p.from_address(self.here(handle)).value = self.handle

    def plain_cublasSetStream_v2(self, handle: int, streamId: int) -> None:
        self.check(handle, stream=False)
        self.stream = streamId

    def _alpha(self, address: int, dtype: Any) -> Any:
        return _view(self.here(address), 1, dtype)[0]

    def of_trsm_v2(
        self, dtype: Any, handle: int, side: int, uplo: int, trans: int, diag: int, m: int, n: int, alpha: int, A: int, lda: int,
        B: int, ldb: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        k, scale = n if side else m, self._alpha(alpha, dtype)
        a, b = self.matrix(A, k, k, lda, dtype), self.matrix(B, m, n, ldb, dtype)

        def run() -> None:
            b()[...] = _trsm(dtype, scale, a(), b(), side, uplo, trans, diag)

        self.later(run)

    def of_trsmBatched(
        self, dtype: Any, handle: int, side: int, uplo: int, trans: int, diag: int, m: int, n: int, alpha: int, A: int, lda: int,
        B: int, ldb: int, batchCount: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        k, scale = n if side else m, self._alpha(alpha, dtype)
        a, b = self.many(A, batchCount, k, k, lda, dtype), self.many(B, batchCount, m, n, ldb, dtype)

        def run() -> None:
            for one, other in zip(a(), b(), strict=True):
                other[...] = _trsm(dtype, scale, one, other, side, uplo, trans, diag)

        self.later(run)

    def of_getrfBatched(self, dtype: Any, handle: int, n: int, A: int, lda: int, P: int, info: int, batchSize: int) -> None:
        self.check(handle)
        a, pivots = self.many(A, batchSize, n, n, lda, dtype), self.vector(P, n * batchSize, "i4")
        told = self.vector(info, batchSize, "i4")

        def run() -> None:
            for b, one in enumerate(a()):
                one[...], found, told()[b] = _lapack("getrf", dtype)(one)
                pivots()[b * n : (b + 1) * n] = found + 1

        self.later(run)

    def of_getrsBatched(
        self, dtype: Any, handle: int, trans: int, n: int, nrhs: int, Aarray: int, lda: int, devIpiv: int, Barray: int, ldb: int,
        info: int, batchSize: int,
    ) -> None:  # fmt: skip
        self.check(handle)
        a, b = self.many(Aarray, batchSize, n, n, lda, dtype), self.many(Barray, batchSize, n, nrhs, ldb, dtype)
        pivots = self.vector(devIpiv, n * batchSize, "i4")
        _tell(self.here(info), 0)

        def run() -> None:
            for number, (one, other) in enumerate(zip(a(), b(), strict=True)):
                own = pivots()[number * n : (number + 1) * n]
                other[...] = _lapack("getrs", dtype)(one, own - 1, other, trans=trans)[0]

        self.later(run)


def _trsm(dtype: Any, alpha: Any, a: np.ndarray, b: np.ndarray, side: int, uplo: int, trans: int, diag: int) -> np.ndarray:
    (run,) = scipy.linalg.get_blas_funcs(("trsm",), dtype=dtype)
    return run(alpha, a, b, side=side, lower=int(uplo == 0), trans_a=trans, diag=diag)


def install(driver: StandIn, **options: Any) -> dict[str, Library]:
    """Both libraries, on a stand-in from now on."""
    driver.libraries.update(cusolver=CuSolver(driver, **options), cublas=CuBlas(driver))
    return driver.libraries
