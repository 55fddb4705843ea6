"""The wrong versions, by family: what a person could write, and the tests that should notice."""

from __future__ import annotations

from mutants import Mutant

PREDICT = "chestlib/predict/model.py"
WORKFLOW = "chestlib/train/workflow.py"
STUDY = "chestlib/train/study.py"
RUN = "chestlib/train/run.py"
DATASETS = "chestlib/train/datasets.py"
LESSON = "chestlib/course/lesson.py"
CLI = "chestlib/cli.py"
JS = "chestlib/viewer/js"

SAY_AGAIN = "tests/predict/test_predict.py::test_both_stages_say_again_what_their_runs_say"
ANY_SIZE = "tests/predict/test_predict.py::test_films_of_any_size_reach_the_detector_alike_and_boxes_return_to_them"
OWN_DATA = "tests/train/test_run.py"
RUN_FOLDER = "tests/course/test_lesson.py::test_runs_are_found_by_what_they_depend_on"
PARTS_FILE = "tests/train/test_parts.py"
STUDIES = "tests/train/test_study.py"
CHECK = "tests/data/test_check.py"
IMAGES = "tests/data/test_images.py"
CANVAS = "tests/viewer/test_viewer_browser.py"
VIEWER = "tests/viewer/test_viewer.py"
COMMANDS = "tests/test_cli.py"
SPLITS = "tests/data/test_splits.py"
PHANTOM = "tests/phantom/test_phantom.py"
NUMBERS = "tests/train/test_numbers.py"
LESSONS = "tests/course/test_lesson.py"
REPORT = "tests/report/test_report.py"
GRADCAM = "tests/figures/test_gradcam.py"
PICTURES = "tests/predict/test_predict.py::test_pictures_are_drawn_when_asked_for_of_all_that_was_answered"
DETECTION = "tests/metrics/test_detection.py"
BINARY = "tests/metrics/test_binary.py"

FILM = "return Film(name, picture.shape[2], picture.shape[1],"
PARTS = "getattr(split, part), settings.image_size"

MUTANTS = [
    # 1: prediction is not the run's model
    Mutant(1, "stage 1 is shown the inverted film", PREDICT, "stage1 = images.square(picture,",
           "stage1 = images.square(1 - picture,", (SAY_AGAIN,)),
    Mutant(1, "stage 2 is shown the inverted film", PREDICT, "stage2 = images.square(picture,",
           "stage2 = images.square(1 - picture,", (SAY_AGAIN, ANY_SIZE)),
    Mutant(1, "stage 2 is shown the film on its side", PREDICT, "stage2 = images.square(picture,",
           "stage2 = images.square(picture.transpose(0, 2, 1),", (SAY_AGAIN, ANY_SIZE)),
    Mutant(1, "width and height of a film are exchanged", PREDICT, FILM,
           "return Film(name, picture.shape[1], picture.shape[2],", (SAY_AGAIN, ANY_SIZE)),
    # 2: leaks by wiring
    Mutant(2, "thresholds are chosen on test", WORKFLOW, 'stage.choose(split.val, said["val"],',
           'stage.choose(split.test, said["test"],', (PARTS_FILE,)),
    Mutant(2, "the checkpoint is chosen on test", WORKFLOW, 'parts["train"], parts["val"]',
           'parts["train"], parts["test"]', (PARTS_FILE,)),
    Mutant(2, "the detector learns test images", WORKFLOW, PARTS,
           "getattr(split, part) + split.test * (stage.boxes and part == 'train'), settings.image_size", (PARTS_FILE,)),
    Mutant(2, "the classifier learns val images", WORKFLOW, PARTS,
           "getattr(split, part) + split.val * (not stage.boxes and part == 'train'), settings.image_size", (PARTS_FILE,)),
    Mutant(2, "val and test are augmented", WORKFLOW, 'settings.augment if part == "train" else 0.0',
           "settings.augment", (PARTS_FILE,)),
    Mutant(2, "a trial is judged on test", STUDY, "XrayDataset(split.val,", "XrayDataset(split.test,", (STUDIES,)),
    Mutant(2, "a trial learns what it is judged on", STUDY, "self.few = [split.train[i] for i in sorted(order[:few])]",
           "self.few = [*split.train, *split.val]", (STUDIES,)),
    # 4: old runs hide everything
    Mutant(4, "a finished run is taken whatever it is of", WORKFLOW, "        run.require_same(**of)\n", "", (OWN_DATA,)),
    Mutant(4, "a run is scored on whatever truth", RUN,
           "        run.require_same(identity=identify(split, run.cache)._asdict())\n", "", (OWN_DATA,)),
    Mutant(4, "what was tuned is for any data", RUN, 'if differing := differences(about, {"identity"',
           'if differing := False and differences(about, {"identity"', (OWN_DATA,)),
    Mutant(4, "the course's runs are found by data alone", LESSON,
           "digest([identity, listed, chestlib.__version__, settings.to_json(profile)])", "digest([identity, listed])",
           (RUN_FOLDER,)),
    # 5: films that are not square
    Mutant(5, "detections return with sides exchanged", "chestlib/train/detector.py",
           "(size[0] / own[0], size[1] / own[1])", "(size[1] / own[0], size[0] / own[1])", (ANY_SIZE,)),
    Mutant(5, "prediction gives the detector height and width", PREDICT, "(films[i].width, films[i].height)",
           "(films[i].height, films[i].width)", (ANY_SIZE,)),
    Mutant(5, "boxes are scaled by the other side", DATASETS, "scale_boxes(record.boxes, original,",
           "scale_boxes(record.boxes, original[::-1],", (PARTS_FILE,)),
    Mutant(5, "check holds y2 against the width", "chestlib/data/boxes.py", "y2 > height + EDGE", "y2 > width + EDGE", (CHECK,)),
    Mutant(5, "check exchanges the sides of an image", "chestlib/data/check.py", "return (width, height),",
           "return (height, width),", (CHECK,)),
    Mutant(5, "no area means where one side grows", "chestlib/data/images.py", "((smaller, cv2.INTER_AREA), (shape,",
           "((image.shape[1:], cv2.INTER_AREA), (shape,", (IMAGES,)),
    Mutant(5, "OpenCV is left to average both sides at once", "chestlib/data/images.py",
           "((smaller, cv2.INTER_AREA), (shape,", "((shape, cv2.INTER_AREA), (shape,", (IMAGES,)),
    # 7: intervals
    Mutant(7, "stage 1 resamples images", WORKFLOW, "patient_groups(records), resamples",
           "[r.file_name for r in records], resamples", (PARTS_FILE,)),
    Mutant(7, "stage 2 resamples images", "chestlib/metrics/evaluation.py", "statistic, patient_groups(truth),",
           "statistic, [r.file_name for r in truth],", (DETECTION,)),
    Mutant(7, "the central 90 %", "chestlib/metrics/intervals.py", "[(1 - LEVEL) / 2, (1 + LEVEL) / 2]",
           "[1 - LEVEL, LEVEL]", (BINARY,)),
    Mutant(7, "another level", "chestlib/metrics/intervals.py", "LEVEL = 0.95", "LEVEL = 0.99", (BINARY,)),
    # 8: the canvas
    Mutant(8, "the picture is negative", f"{JS}/grey.js", "(inverted ? 255 - shown : shown)",
           "(inverted ? shown : 255 - shown)", (CANVAS,)),
    Mutant(8, "the picture's offsets are exchanged", f"{JS}/stage.js", "ratio * view.x, ratio * view.y)",
           "ratio * view.y, ratio * view.x)", (CANVAS,)),
    Mutant(8, "the picture's sides are exchanged", f"{JS}/stage.js", "setTransform(ratio * sx, 0, 0, ratio * sy,",
           "setTransform(ratio * sy, 0, 0, ratio * sx,", (CANVAS,)),
    Mutant(8, "boxes are displaced", f"{JS}/marks.js", "context.strokeRect(left, top,",
           "context.strokeRect(left + 9, top,", (CANVAS,)),
    Mutant(8, "corners of the truth are displaced", f"{JS}/marks.js", "[bottom, -reach],", "[bottom, reach],", (CANVAS,)),
    Mutant(8, "hits are drawn as false alarms", f"{JS}/study.js", 'partner >= 0 ? "hit"', 'partner < 0 ? "hit"',
           (CANVAS,)),
    Mutant(8, "boxes have the colour of the finding before", f"{JS}/study.js", "byMatch && outcome ?",
           "!byMatch && outcome ?", (CANVAS,)),
    Mutant(8, "the fallback picture's boxes are not scaled", "chestlib/viewer/pictures.py",
           "[round(v * scale) for v in box]", "[round(v) for v in box]", (VIEWER,)),
    # 9: command line
    Mutant(9, "check ends with 0 in spite of errors", CLI, "if not report.ok:", "if False:", (COMMANDS,)),
    Mutant(9, "a failed report ends with 0", CLI, "if result.failed:", "if False:", (COMMANDS,)),
    Mutant(9, "predict ends with 0 in spite of errors", CLI, "if done.errors:", "if False:", (COMMANDS,)),
    Mutant(9, "--bootstrap is ignored", CLI, "bootstrap=bootstrap)", "bootstrap=0)", (COMMANDS,)),
    Mutant(9, "phantom ignores --seed", CLI, "size=size, seed=seed,", "size=size, seed=0,", (COMMANDS,)),
    Mutant(9, "train ignores --seed", CLI, "getattr(plan, stage.value), seed=seed)", "getattr(plan, stage.value))",
           (COMMANDS,)),
    Mutant(9, "--cascade is ignored", CLI, "stage2, cascade=cascade)", "stage2)", (COMMANDS,)),
    Mutant(9, "--overlays is ignored", CLI, "overlays=overlays,", "overlays=False,", (COMMANDS,)),
    # 10: seeds
    Mutant(10, "another seed draws the same validation part", "chestlib/data/splits.py",
           "np.random.default_rng(seed).shuffle(members)", "np.random.default_rng(0).shuffle(members)", (SPLITS,)),
    Mutant(10, "a training's seed does not reach its split", WORKFLOW, "data.test, settings.seed)", "data.test)",
           (NUMBERS,)),
    Mutant(10, "another seed begins with the same weights", "chestlib/train/module.py", "numbers_of(seed, -1)",
           "numbers_of(0, -1)", (NUMBERS,)),
    Mutant(10, "another seed trains in the same order", "chestlib/train/trainer.py",
           "np.random.default_rng([self.seed, self.epoch()])", "np.random.default_rng([0, self.epoch()])", (NUMBERS,)),
    Mutant(10, "another seed draws the same phantom", "chestlib/phantom/writing.py", "Visit((seed, 1 + patient)",
           "Visit((0, 1 + patient)", (PHANTOM,)),
    Mutant(10, "another seed draws the same patients", "chestlib/phantom/writing.py",
           "np.random.default_rng([seed, 0])", "np.random.default_rng([0, 0])", (PHANTOM,)),
    # 12: course
    Mutant(12, "the course ignores what was tuned", LESSON, "chosen = run.tuned(chosen,", "run.tuned(chosen,", (LESSONS,)),
    Mutant(12, "too little data has no phantom beside it", LESSON, "Course(theirs, phantom(chosen), chosen,",
           "Course(theirs, theirs, chosen,", (LESSONS,)),
    Mutant(12, "data of one part is drawn by image", "chestlib/data/folder.py",
           "splits.draw(data.train, DRAWN_TEST_SHARE, seed=0)",
           "data.train[::5], [r for i, r in enumerate(data.train) if i % 5]", ("tests/data/test_folder.py",)),
    Mutant(12, "a part is drawn by image", "chestlib/data/splits.py", "enumerate(patient_groups(records))",
           "enumerate(r.file_name for r in records)", (SPLITS,)),
    # 13: report
    Mutant(13, "recall shows specificity", "chestlib/report/facts.py", '"scores.recall", ', '"scores.specificity", ',
           (REPORT,)),
    Mutant(13, "stage 2 shows AP as AP50", "chestlib/report/facts.py", '"scores.coco.AP50", ', '"scores.coco.AP", ',
           (REPORT,)),
    Mutant(13, "a finished report is taken up", "chestlib/report/__init__.py", "finished(copies).touch()", "pass",
           (REPORT,)),
    Mutant(13, "copies of changed notebooks are taken", "chestlib/report/execute.py",
           'earlier.get("key") == key and', "", (REPORT,)),
    Mutant(13, "another package takes the old copies", "chestlib/report/execute.py",
           "digest.update(file.read_bytes())", "pass", (REPORT,)),
    Mutant(13, "overlays have no boxes", "chestlib/predict/overlays.py", "drawn(said.file, boxes,",
           "drawn(said.file, [],", (PICTURES,)),
    Mutant(13, "overlays have all boxes", "chestlib/predict/overlays.py", ".for_display(thresholds)", "", (PICTURES,)),
    Mutant(13, "Grad-CAM counts what speaks against disease", "chestlib/figures/gradcam.py",
           "torch.relu((weights * kept[0]).sum(1, keepdim=True))", "(weights * kept[0]).sum(1, keepdim=True).abs()",
           (GRADCAM,)),
]  # fmt: skip
