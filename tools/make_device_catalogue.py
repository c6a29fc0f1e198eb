#!/usr/bin/env python3
"""Makes src/device/catalogue/*.toml from device trees, measurements and the facts below.

usage: tools/make_device_catalogue.py [--program build/edgewright] [--shared ../shared]

Clusters, operating points, idle states and trips come from the device tree by `device import`,
powers from freqbench by `device calibrate`. What neither states is in FACTS, with its source; what
is assumed says so. The written files are what the program itself prints of them.
"""

import argparse
import pathlib
import subprocess
import tempfile
import tomllib

VECTOR_UNITS = "vector pipes x lanes x 2 (Arm software optimization guide of the core)"
# Core -> operations a cycle by type, bytes a cycle that one core streams from memory.
CORES = {
    "a53": ({"float32": 8, "int8": 16}, 2.0),
    "a55": ({"float32": 8, "float16": 16, "int8": 32}, 2.5),
    "a57": ({"float32": 8, "int8": 16}, 3.0),
    "a72": ({"float32": 8, "int8": 16}, 3.5),
    "a73": ({"float32": 8, "int8": 16}, 3.5),
    "a75": ({"float32": 16, "float16": 32, "int8": 32}, 4.5),
    "a76": ({"float32": 16, "float16": 32, "int8": 64}, 5.0),
    "a78": ({"float32": 16, "float16": 32, "int8": 64}, 6.0),
    "x1": ({"float32": 32, "float16": 64, "int8": 128}, 8.0),
    "icestorm": ({"float32": 16, "float16": 32, "int8": 64}, 8.0),
    "firestorm": ({"float32": 32, "float16": 64, "int8": 128}, 16.0),
}
# Measured part of the nominal rate that all cores together reach.
ATTAINABLE = 0.6
MEMORY = {
    "LPDDR4": (64, "assumed 8 pJ/bit: between 3.9 of HBM2 and 14 of GDDR5 (O'Connor, MICRO 2017)"),
    "LPDDR5": (51, "assumed 20 % below LPDDR4"),
}
# Horowitz, ISSCC 2014 (45 nm) and Jouppi et al., ISCA 2021, table 2 (45 and 7 nm).
ENERGIES = [
    ("int8-add", 0.03, 0.007), ("int32-add", 0.1, 0.03), ("float16-add", 0.4, 0.16),
    ("float32-add", 0.9, 0.38), ("int8-multiply", 0.2, 0.07), ("int32-multiply", 3.1, 1.48),
    ("float16-multiply", 1.1, 0.34), ("float32-multiply", 3.7, 1.31),
    ("bfloat16-add", None, 0.11), ("bfloat16-multiply", None, 0.21),
    ("sram-8KiB-64bit", 10, 7.5), ("sram-32KiB-64bit", 20, 8.5), ("sram-1MiB-64bit", 100, 14),
    ("dram-64bit", 1300, 1300),
]
PHONE = {
    "source": "assumed: 8 K/W and 90 J/K from case to air as in HotSpot's phone-like "
              "configuration, 2.5 and 3 K/W from die over package to case",
    "skin_node": "case", "skin_limit_c": 43.0,
    "leakage_per_k": 0.018, "leakage_reference_c": 40.0,
    "nodes": [("die", 0.5), ("package", 12.0), ("case", 90.0)],
    "links": [("die", "package", 0.4), ("package", "case", 0.333), ("case", "ambient", 0.125)],
    "platform": "package",
}
BOARD = {
    "source": "assumed: a small passive heat sink, 1.5 K/W to the die and 8 K/W to the air",
    "leakage_per_k": 0.018, "leakage_reference_c": 40.0,
    "nodes": [("die", 0.5), ("sink", 40.0)],
    "links": [("die", "sink", 0.667), ("sink", "ambient", 0.125)],
    "platform": "sink",
}
# Device -> tree, cores of its clusters, memory (kind, nominal GB/s), thermal network, watts of the
# platform, battery, measurements (CSV, voltages).
FACTS = {
    "hi3660": ("hi3660-hikey960", ["a53", "a73"], ("LPDDR4", 29.9), PHONE, 0.3, 0, None),
    "sdm845": ("sdm845-db845c", ["a55", "a75"], ("LPDDR4", 29.9), PHONE, 0.3, 11500,
               ("sdm845-main.csv", None)),
    "sm8150": ("sm8150-mtp", ["a55", "a76", "a76"], ("LPDDR4", 34.1), PHONE, 0.3, 14000,
               ("sm8150-main.csv", "sm8150-voltages.txt")),
    "sm8250": ("sm8250-mtp", ["a55", "a76", "a76"], ("LPDDR5", 44.0), PHONE, 0.3, 17000,
               ("sm8250-main.csv", "sm8250-voltages_k30su.txt")),
    "gs101": (None, ["a55", "a76", "x1"], ("LPDDR5", 51.2), PHONE, 0.3, 17700,
              ("gs101-main.csv", None)),
    "rk3588": ("rk3588-rock-5b", ["a55", "a76", "a76"], ("LPDDR4", 34.1), BOARD, 1.5, 0, None),
    "rk3399": ("rk3399-rockpro64", ["a53", "a72"], ("LPDDR4", 12.8), BOARD, 1.5, 0, None),
    "odroid-n2": ("meson-g12b-odroid-n2", ["a53", "a73"], ("LPDDR4", 10.6), BOARD, 1.2, 0, None),
    "rpi5": ("bcm2712-rpi-5-b", ["a76"], ("LPDDR4", 17.1), BOARD, 2.0, 0, None),
    "jetson-nano": ("tegra210-p3450-0000", ["a57"], ("LPDDR4", 25.6), BOARD, 1.2, 0, None),
    "jetson-orin": ("tegra234-p3737-0000+p3701-0000", ["a78"] * 3, ("LPDDR5", 204.8), BOARD, 5.0,
                    0, None),
    "mt8183": ("mt8183-evb", ["a53", "a73"], ("LPDDR4", 29.9), PHONE, 0.3, 0, None),
    "mt8186": ("mt8186-evb", ["a55", "a76"], ("LPDDR4", 25.6), PHONE, 0.3, 0, None),
    "m1": ("t8103-j274", ["icestorm", "firestorm"], ("LPDDR4", 68.3), BOARD, 2.0, 0, None),
}
# Pixel 6: cores and their order are Google's; their relative speed is CoreMark per MHz as measured.
GS101 = {
    "model": "Google Tensor (Pixel 6)",
    "source": "core types of the maker; frequencies, powers and speeds measured by freqbench",
    "clusters": [
        {"name": "arm,cortex-a55", "cpus": [0, 1, 2, 3], "dmips_per_mhz": 371, "capacity": 0},
        {"name": "arm,cortex-a76", "cpus": [4, 5], "dmips_per_mhz": 775, "capacity": 0},
        {"name": "arm,cortex-x1", "cpus": [6, 7], "dmips_per_mhz": 929, "capacity": 0},
    ],
}
# Highest frequency in kHz where the tree leaves it to firmware.
FIRMWARE_KHZ = {"rpi5": 2_400_000, "jetson-nano": 1_428_000}


def toml(value):
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value)


def write(path, device):
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in device.items()))


def add_core(cluster, core, name):
    operations, stream = CORES[core]
    points = cluster.get("operating_points", [])
    top = points[-1]["frequency_khz"] if points else FIRMWARE_KHZ.get(name, 0)
    if not points and top:
        cluster["operating_points"] = [{"frequency_khz": top}]
    cluster["stream_bytes_per_cycle"] = stream
    cluster["peaks"] = [
        {"dtype": dtype, "operations_per_s": float(count * top * 1000), "frequency_khz": top,
         "source": f"Cortex-{core.upper()}: {VECTOR_UNITS}"}
        for dtype, count in operations.items() if top
    ]


def add_facts(device, name, cores, memory, thermal, platform_w, battery_mwh):
    kind, nominal = memory
    energy, source = MEMORY[kind]
    for cluster, core in zip(device["clusters"], cores, strict=True):
        add_core(cluster, core, name)
    device.setdefault("memory", []).append({
        "name": "dram", "bandwidth_bytes_per_s": nominal * 1e9 * ATTAINABLE,
        "energy_pj_per_byte": energy,
        "source": f"{kind}, {nominal} GB/s nominal x {ATTAINABLE} assumed attainable; {source}"})
    inlets = [{"source": f"cluster:{i}", "node": "die"} for i in range(len(device["clusters"]))]
    inlets += [{"source": part, "node": thermal["platform"]} for part in ("memory", "platform")]
    device["thermal_network"] = {
        **{key: thermal[key] for key in thermal if key not in ("nodes", "links", "platform")},
        "nodes": [{"name": n, "capacity_j_per_k": c} for n, c in thermal["nodes"]],
        "links": [{"from": a, "to": b, "conductance_w_per_k": g} for a, b, g in thermal["links"]],
        "inlets": inlets}
    device["operation_energies"] = [
        {"operation": operation, "picojoules": value, "process_nm": process, "source": source}
        for operation, at_45, at_7 in ENERGIES
        for value, process, source in ((at_45, 45, "Horowitz, ISSCC 2014"),
                                       (at_7, 7, "Jouppi et al., ISCA 2021"))
        if value is not None]
    device["platform_power_mw"] = platform_w * 1000
    device["memory_idle_power_mw"] = 50.0
    if battery_mwh:
        device["battery_mwh"] = float(battery_mwh)
    device.setdefault("notes", []).append(
        f"assumed: {platform_w} W for everything but cores and memory, 50 mW for idle memory")


def make(name, facts, arguments, work):
    tree, cores, memory, thermal, platform_w, battery_mwh, measured = facts
    raw, made = work / "raw.toml", work / "made.toml"

    def program(*words):
        return subprocess.run([arguments.program, *map(str, words)], check=True,
                              capture_output=True, text=True).stdout

    if tree:
        program("device", "import", arguments.shared / f"devices/dtb/{tree}.dtb", "--name", name,
                "-o", raw)
    else:
        write(raw, {"name": name, **GS101})
    if measured:
        folder = arguments.shared / "measurements/freqbench"
        voltages = ["--voltages", folder / measured[1]] if measured[1] else []
        program("device", "calibrate", raw, folder / measured[0], *voltages, "-o", raw)
    device = tomllib.loads(raw.read_text())
    device["notes"] = list(dict.fromkeys(device.get("notes", [])))
    if measured:
        device["notes"] = [note for note in device["notes"] if "device calibrate" not in note]
        device["source"] += f"; powers measured by freqbench ({measured[0]})"
    if not tree:
        top = [c["dmips_per_mhz"] * c["operating_points"][-1]["frequency_khz"]
               for c in device["clusters"]]
        for cluster, speed in zip(device["clusters"], top, strict=True):
            cluster["capacity"] = speed * 1024 // max(top)
    add_facts(device, name, cores, memory, thermal, platform_w, battery_mwh)
    write(made, device)
    return program("device", "show", made, "--toml")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=root / "build/edgewright")
    parser.add_argument("--shared", type=pathlib.Path, default=root.parent / "shared")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, facts in FACTS.items():
            text = make(name, facts, arguments, pathlib.Path(folder))
            (root / f"src/device/catalogue/{name}.toml").write_text(text)


if __name__ == "__main__":
    main()
