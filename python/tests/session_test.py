"""InferenceSession: NumPy in and out, ONNX Runtime's interface, errors, threads."""

import gc
import pathlib
import threading

import edgewright
import numpy
import pytest


def test_runs_and_describes(model):
    session = edgewright.InferenceSession(model("double"))
    [port] = session.get_inputs()
    assert (port.name, port.type, port.dtype) == ("x", "tensor(float)", "float32")
    assert port.shape == [2, 3]
    assert [output.name for output in session.get_outputs()] == ["y"]
    x = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    [y] = session.run(None, {"x": x})
    assert y.dtype == numpy.float32
    numpy.testing.assert_array_equal(y, 2 * x)
    assert "double" in repr(session) and "float32" in repr(session)


def test_outputs_by_name_and_symbolic_shapes(model):
    session = edgewright.InferenceSession(model("two_outputs"))
    assert session.get_inputs()[0].shape == ["N"]
    for size in (3, 5):
        a, b = numpy.arange(size), numpy.full(size, 7)
        difference, total = session.run(["difference", "sum"], {"a": a, "b": b})
        numpy.testing.assert_array_equal(difference, a - b)
        numpy.testing.assert_array_equal(total, a + b)


def test_an_aligned_input_is_not_copied_and_outputs_outlive_everything(model):
    session = edgewright.InferenceSession(model("double"))
    room = numpy.zeros(64 + 16, dtype=numpy.float32)
    start = (-room.ctypes.data % 64) // 4
    x = room[start : start + 6].reshape(2, 3)
    x[:] = 1
    [first] = session.run(None, {"x": x})
    x[:] = 5
    [second] = session.run(None, {"x": x})
    assert not numpy.shares_memory(first, second)
    del session, x, room
    gc.collect()
    numpy.testing.assert_array_equal(first, numpy.full((2, 3), 2, numpy.float32))
    numpy.testing.assert_array_equal(second, numpy.full((2, 3), 10, numpy.float32))


def peak_kib():
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def test_an_array_as_numpy_makes_it_is_not_copied(model):
    session = edgewright.InferenceSession(model("largest"))
    size = 1 << 24
    room = numpy.zeros(size + 32, dtype=numpy.float32)
    # NumPy's large arrays begin 16 bytes into a page.
    start = (16 - room.ctypes.data % 64) % 64 // 4
    usual, aligned = room[start : start + size], room[start + 12 : start + 12 + size]
    assert usual.ctypes.data % 64 == 16 and aligned.ctypes.data % 64 == 0
    session.run(None, {"x": aligned})
    usual[7] = 3
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError as error:
        pytest.skip(f"the peak of memory cannot be reset: {error}")
    before = peak_kib()
    [y] = session.run(None, {"x": usual})
    assert y == 3
    assert peak_kib() - before < size * 4 / 1024 / 8


def test_views_that_begin_anywhere(model):
    session = edgewright.InferenceSession(model("double"))
    room = numpy.arange(64, dtype=numpy.float32)
    for start in range(16):
        x = room[start : start + 6].reshape(2, 3)
        [y] = session.run(None, {"x": x})
        numpy.testing.assert_array_equal(y, 2 * x)


def test_an_output_never_shares_memory_with_an_input(model):
    session = edgewright.InferenceSession(model("identity"))
    room = numpy.zeros(64 + 16, dtype=numpy.float32)
    start = (-room.ctypes.data % 64) // 4
    x = room[start : start + 6].reshape(2, 3)
    [y] = session.run(None, {"x": x})
    assert not numpy.shares_memory(x, y)


def test_strided_arrays_and_lists(model):
    x = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    session = edgewright.InferenceSession(model("double"))
    for given in (x.T.copy().T, x[:, ::-1], numpy.stack([x, x], -1)[..., 1]):
        [y] = session.run(None, {"x": given})
        numpy.testing.assert_array_equal(y, 2 * given)
    session = edgewright.InferenceSession(model("two_outputs"))
    assert session.run(["sum"], {"a": [1, 2], "b": (3, 4)})[0].tolist() == [4, 6]


def test_scalars_keep_their_rank(model):
    session = edgewright.InferenceSession(model("scalar"))
    for given in (numpy.float32(3), numpy.array(3, dtype=numpy.float32)):
        [y] = session.run(None, {"x": given})
        assert y.shape == () and y == 6


def test_types_of_elements(model):
    [y] = edgewright.InferenceSession(model("half")).run(
        None, {"x": numpy.array([1, -2, 0.5, 4], dtype=numpy.float16)}
    )
    assert y.dtype == numpy.float16 and y.tolist() == [-1, 2, -0.5, -4]
    [y] = edgewright.InferenceSession(model("is_positive")).run(
        None, {"x": numpy.array([1.0, -2, 0, 4])}
    )
    assert y.dtype == numpy.bool_ and y.tolist() == [True, False, False, True]


def test_sequences_and_strings(model):
    [parts] = edgewright.InferenceSession(model("parts")).run(
        None, {"x": numpy.arange(8, dtype=numpy.float32).reshape(4, 2)}
    )
    assert [part.tolist() for part in parts] == [[[0, 1]], [[2, 3]], [[4, 5]], [[6, 7]]]
    session = edgewright.InferenceSession(model("lower"))
    for given in (numpy.array(["äB", "BC"]), numpy.array(["äB", "BC"], dtype=object)):
        [y] = session.run(None, {"x": given})
        assert y.tolist() == ["äb", "bc"]


def test_errors_have_the_library_s_classes_and_messages(model, tmp_path):
    session = edgewright.InferenceSession(model("double"))
    with pytest.raises(edgewright.BadInput, match="input 'x' is float64 2x3.*float32 2x3"):
        session.run(None, {"x": numpy.zeros((2, 3))})
    with pytest.raises(edgewright.UsageError, match="input 'x' is missing"):
        session.run(None, {})
    with pytest.raises(edgewright.UsageError, match="'z' is no output of the model; there are y"):
        session.run(["z"], {"x": numpy.zeros((2, 3), numpy.float32)})
    with pytest.raises(edgewright.BadInput, match="datetime64") as caught:
        session.run(None, {"x": numpy.zeros((2, 3), "datetime64[s]")})
    assert caught.value.exit_code == 3
    with pytest.raises(ValueError, match="cannot open .*no.onnx"):
        edgewright.InferenceSession(tmp_path / "no.onnx")
    with pytest.raises(edgewright.UsageError, match="no keyword 'thread'; there are backend"):
        edgewright.InferenceSession(model("double"), thread=2)
    with pytest.raises(edgewright.UsageError, match="only CPUExecutionProvider"):
        edgewright.InferenceSession(model("double"), providers=["CUDAExecutionProvider"])


def test_the_interface_of_onnx_runtime(resnet20):
    options = edgewright.SessionOptions()
    options.intra_op_num_threads = 1
    with pytest.raises(AttributeError):
        options.enable_profiling = True
    session = edgewright.InferenceSession(
        resnet20.read_bytes(), sess_options=options,
        providers=["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    image = numpy.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(numpy.float32)
    [scores] = session.run(["logits"], {session.get_inputs()[0].name: image})
    [again] = edgewright.InferenceSession(resnet20, backend="reference").run(None, {"input": image})
    numpy.testing.assert_allclose(scores, again, rtol=1e-4, atol=1e-4)


def test_threads_take_turns(model):
    session = edgewright.InferenceSession(model("double"))
    wrong = []

    def work(value):
        x = numpy.full((2, 3), value, dtype=numpy.float32)
        for _ in range(200):
            [y] = session.run(None, {"x": x})
            if not (y == 2 * value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bfloat16_comes_from_ml_dtypes(model):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = numpy.array([1, -2, 0.5, 4], dtype=ml_dtypes.bfloat16)
    [y] = edgewright.InferenceSession(model("wide")).run(None, {"x": x})
    assert y.tolist() == [1, -2, 0.5, 4]
