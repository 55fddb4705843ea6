"""The wrong versions, by family: what a person could write, and the tests that should notice."""

from __future__ import annotations

from collections.abc import Iterator

from mutants import Mutant

CLI_DATA = "chestlib/cli/data.py"
CLI_TRAINING = "chestlib/cli/training.py"
CLI_SCORING = "chestlib/cli/scoring.py"
CLI_USING = "chestlib/cli/using.py"
CARDS = "chestlib/course/cards.py"
EXPECTED = "chestlib/course/expected.py"
KINDS = "chestlib/course/kinds.py"
LESSON = "chestlib/course/lesson.py"
LIVE = "chestlib/course/live.py"
RECORDED = "chestlib/course/recorded.py"
CHECK = "chestlib/data/check.py"
FOLDER = "chestlib/data/folder.py"
IMAGES = "chestlib/data/images.py"
SPLITS = "chestlib/data/splits.py"
GRADCAM = "chestlib/figures/gradcam.py"
ERRORS = "chestlib/metrics/errors.py"
EVALUATION = "chestlib/metrics/evaluation.py"
EXPORT = "chestlib/metrics/export.py"
COMPARISON = "chestlib/metrics/comparison.py"
INTERVALS = "chestlib/metrics/intervals.py"
SUBGROUPS = "chestlib/metrics/subgroups.py"
WRITING = "chestlib/phantom/writing.py"
PREDICT = "chestlib/prediction/model.py"
OVERLAYS = "chestlib/prediction/overlays.py"
SPREAD = "chestlib/prediction/spread.py"
REPORT = "chestlib/report/__init__.py"
REPORT_PAGES = "chestlib/report/pages.py"
CHAPTER = "chestlib/report/chapter.py"
EXECUTE = "chestlib/report/execute.py"
FUSED = "chestlib/metrics/fusion.py"
TOGETHER = "chestlib/train/together.py"
FACTS = "chestlib/report/facts.py"
DATASETS = "chestlib/train/datasets.py"
DETECTOR = "chestlib/train/detector.py"
CLASSIFIER = "chestlib/train/classifier.py"
HEADS = "chestlib/train/roi_heads.py"
MODULE = "chestlib/train/module.py"
PARTIAL = "chestlib/train/partial.py"
RUN = "chestlib/train/run.py"
STUDY = "chestlib/train/study.py"
TRAINER = "chestlib/train/trainer.py"
WORKFLOW = "chestlib/train/workflow.py"
OPERATING = "chestlib/train/operating.py"
JS = "chestlib/viewer/js"
QUIZ_JS = "chestlib/course/js"
PICTURES = "chestlib/viewer/pictures.py"

# Family; then the tests that should notice, and under them (name, file, old, new).
Group = dict[str, list[tuple[str, str, str, str]]]

PREDICTION: Group = {
    "tests/prediction/test_prediction.py::test_both_stages_say_again_what_their_runs_say": [
        ("the models are shown the negative", PREDICT, "images.square(picture, side)", "images.square(1 - picture, side)"),
        ("stage 1 is asked in training mode", PREDICT, "return list(classifier", "self.classifier.train(); return list(classifier"),
    ],
    "tests/prediction/test_prediction.py::test_films_of_any_size_reach_the_detector_alike_and_boxes_return_to_them": [
        ("boxes of the mirror image stay mirrored", DETECTOR, "zip(outputs if mirror else (),", "zip((),"),
        ("the models are shown the film on its side", PREDICT, "images.square(picture, side)",
         "images.square(picture.transpose(0, 2, 1), side)"),
        ("width and height of a film are exchanged", PREDICT, "Film(name, picture.shape[2], picture.shape[1],",
         "Film(name, picture.shape[1], picture.shape[2],"),
    ],
    "tests/prediction/test_spread.py::test_two_workers_say_the_same_and_one_that_dies_loses_nothing": [
        ("an error names a worker's path", SPREAD, "said.error and said.error.replace(said.file, film)", "said.error"),
    ],
}  # fmt: skip

LEAKS: Group = {
    "tests/train/test_parts.py": [
        ("thresholds are chosen on test", WORKFLOW, 'stage.choose(split.val, said["val"],',
         'stage.choose(split.test, said["test"],'),
        ("the checkpoint is chosen on test", WORKFLOW, 'parts["train"], parts["val"]', 'parts["train"], parts["test"]'),
        ("the detector learns test films", WORKFLOW, "getattr(split, part), settings.image_size",
         "split.test * (stage.boxes and part == 'train') + getattr(split, part), settings.image_size"),
        ("the classifier learns val films", WORKFLOW, "getattr(split, part), settings.image_size",
         "getattr(split, part) + split.val * (not stage.boxes and part == 'train'), settings.image_size"),
        ("val and test are augmented", WORKFLOW, 'settings.augment if part == "train" else 0.0', "settings.augment"),
        ("test is scored as val is", WORKFLOW, "stage.score(split.test, said[\"test\"]", "stage.score(split.val, said[\"val\"]"),
    ],
    "tests/train/test_parts.py::test_a_trial_learns_from_train_and_is_judged_on_val": [
        ("a trial is judged on test", STUDY, "XrayDataset(split.val,", "XrayDataset(split.test,"),
        ("a trial learns what it is judged on", STUDY, "self.few = [split.train[i] for i in sorted(order[:few])]",
         "self.few = [*split.train, *split.val]"),
        ("a trial is judged on augmented films", STUDY, "cache, boxes=False)", "cache, boxes=False, augment=1.0)"),
    ],
}  # fmt: skip

OLD_RUNS: Group = {
    "tests/train/test_run.py": [
        ("a finished run is taken whatever it is of", WORKFLOW, "        run.require_same(of)\n", ""),
        ("a run is scored against any truth", RUN,
         "        run.require_same(of, \"it can be scored on its own data alone\")\n", ""),
        ("what was tuned serves any data", RUN, 'differences(about, {"identity"', 'differences(about, {} and {"identity"'),
    ],
    "tests/course/test_lesson.py::test_runs_are_found_by_what_they_depend_on": [
        ("the course finds runs by data alone", LESSON,
         "digest([identity, listed, chestlib.__version__, settings.to_json(profile)])", "digest([identity, listed])"),
        ("the course finds runs of edited boxes", LESSON, "digest([identity, listed, chestlib", "digest([len(identity), chestlib"),
    ],
}  # fmt: skip

NOT_SQUARE: Group = {
    "tests/prediction/test_prediction.py::test_films_of_any_size_reach_the_detector_alike_and_boxes_return_to_them": [
        ("detections return with sides exchanged", DETECTOR, "(size[0] / own[0], size[1] / own[1])",
         "(size[1] / own[0], size[0] / own[1])"),
        ("the detector is told height and width", PREDICT, "(film.width, film.height)", "(film.height, film.width)"),
    ],
    "tests/train/test_training.py::test_a_box_lies_on_the_same_pixels_of_a_film_that_is_not_square": [
        ("boxes are scaled by the other side", DATASETS, "scale_boxes(record.boxes, original,",
         "scale_boxes(record.boxes, original[::-1],"),
        ("training is shown films on their side", DATASETS, ".float().div_(255)[None]", ".float().div_(255).T[None]"),
    ],
    "tests/data/test_check.py::test_a_film_s_sides_are_not_exchanged": [
        ("check holds y2 against the width", "chestlib/data/boxes.py", "y2 > height + EDGE", "y2 > width + EDGE"),
        ("check exchanges the sides of an image", CHECK, "height, width = images", "width, height = images"),
    ],
    "tests/data/test_images.py::test_a_side_that_shrinks_is_averaged_whatever_the_other_does": [
        ("no area means where one side grows", IMAGES, "((smaller, cv2.INTER_AREA),", "((image.shape[1:], cv2.INTER_AREA),"),
        ("OpenCV averages both sides at once", IMAGES, "((smaller, cv2.INTER_AREA),", "((shape, cv2.INTER_AREA),"),
    ],
}  # fmt: skip

BOOTSTRAP: Group = {
    "tests/train/test_parts.py::test_stage_1_is_scored_on_test_at_the_threshold_of_val": [
        ("stage 1 resamples films", WORKFLOW, "patient_groups(records), resamples", "[r.file_name for r in records], resamples"),
    ],
    "tests/metrics/test_detection.py::test_five_films_of_a_patient_are_one_case": [
        ("stage 2 resamples films", EVALUATION, "resampled(measures, patient_groups(truth),", "resampled(measures, [r.file_name for r in truth],"),
    ],
    "tests/metrics/test_compare.py": [
        ("differences resample films", COMPARISON, "for of in pair], patient_groups(truth)", "for of in pair], [r.file_name for r in truth]"),
        ("B is compared by A's thresholds", COMPARISON, "default | dict(own or {})", "default | dict(thresholds[0] or {})"),
        ("who gains is exchanged", COMPARISON, "second[name] - first[name]", "first[name] - second[name]"),
    ],
    "tests/metrics/test_errors.py": [
        ("false alarms below the threshold are listed", ERRORS,
         "np.flatnonzero((kind >= 0) & (found.scores >= _least(truth, thresholds)[found.labels]))", "np.flatnonzero(kind >= 0)"),
        ("hits are listed as false alarms", ERRORS, "called = np.flatnonzero((kind >= 0) & (", "called = np.flatnonzero((kind >= -1) & ("),
        ("the faintest false alarm comes first", ERRORS, "np.argsort(-found.scores[called]", "np.argsort(found.scores[called]"),
    ],
    "tests/phantom/test_phantom.py::test_traits_are_those_of_the_patient_and_the_visit": [
        ("traits are the previous film's", WRITING, "known[job.path.name] = {", 'known[f"{max(int(job.path.stem) - 1, 1):05d}.png"] = {'),
        ("a view is the patient's sex", WRITING, '"AP" if frame.view.ap else', '"AP" if frame.anatomy.female else'),
    ],
    "tests/metrics/test_subgroups.py": [
        ("a group is the whole", SUBGROUPS, "statistic(weights * mask)", "statistic(weights)"),
    ],
    "tests/metrics/test_binary.py::test_an_interval_is_the_central_95_percent_of_the_resamples": [
        ("the central 90 %", INTERVALS, "[(1 - LEVEL) / 2, (1 + LEVEL) / 2]", "[1 - LEVEL, LEVEL]"),
        ("another level", INTERVALS, "LEVEL = 0.95", "LEVEL = 0.99"),
    ],
}  # fmt: skip

CANVAS: Group = {
    "tests/viewer/test_canvas_browser.py": [
        ("the film is a negative", f"{JS}/grey.js", "(inverted ? 255 - shown : shown)", "(inverted ? shown : 255 - shown)"),
        ("the film's offsets are exchanged", f"{JS}/view.js", "ratio * x, ratio * y)", "ratio * y, ratio * x)"),
        ("the film forgets the screen's ratio", f"{JS}/view.js", "(part) => ratio * this.scale * part", "(part) => this.scale * part"),
        ("the film is upside down", f"{JS}/panes.js", "context.drawImage(grey.canvas, 0, 0, width, height);",
         "context.scale(1, -1); context.drawImage(grey.canvas, 0, -height, width, height);"),
        ("lines are displaced", f"{JS}/marks.js", "context.strokeRect(left, top,", "context.strokeRect(left + 9, top,"),
        ("boxes forget where the film lies", f"{JS}/view.js", "y: this.y + this.scale *", "y: this.scale *"),
        ("hits are drawn as false alarms", f"{JS}/items.js", 'partner >= 0 ? "hit"', 'partner < 0 ? "hit"'),
        ("false alarms and missed are exchanged", f"{JS}/items.js", '? "missed" : "alarm"', '? "alarm" : "missed"'),
        ("colours of match and finding are exchanged", f"{JS}/items.js", "byMatch && outcome ?", "!byMatch && outcome ?"),
        ("the fallback picture's boxes are not scaled", PICTURES, "max(v * scale, -side)", "max(v, -side)"),
    ],
}  # fmt: skip

READING: Group = {
    "tests/viewer/test_reading_browser.py::test_drawn_by_mouse_and_scored_as_python_scores": [
        ("a reader's figures count no film without a box", f"{JS}/froc.js", "(marks.length - hits.length) / films.length",
         "(marks.length - hits.length) / films.filter((film) => film.boxes).length"),
    ],
    "tests/viewer/test_reading_browser.py::test_nothing_is_shown_before_the_film_is_committed": [
        ("the detector is shown before the commit", f"{JS}/items.js", 'if (open) addMarks("detections"', 'addMarks("detections"'),
        ("truth is shown before the commit", f"{JS}/items.js", 'if (open && study.showsLayer("truth"))', 'if (study.showsLayer("truth"))'),
    ],
    "tests/viewer/test_reading_browser.py::test_two_detectors_side_by_side": [
        ("only A and only B are exchanged", f"{JS}/study.js", '"neither" : "b"', '"neither" : "a"'),
    ],
    "tests/viewer/test_viewer.py::test_who_reads_first_is_not_told_and_comes_back_as_detections": [
        ("the still picture shows a reader the boxes", "chestlib/viewer/static.py", 'if state["read"]:', 'if False:'),
        ("what is not committed comes back too", "chestlib/viewer/reading.py", 'if film.get("done"):', 'if film:'),
    ],
}  # fmt: skip

MEASURING: Group = {
    "tests/viewer/test_measure_browser.py::test_the_ruler_measures_in_mm_or_says_that_it_cannot": [
        ("pixels are taken for squares", f"{JS}/measure.js", "dy * scale.y).toFixed", "dy * scale.x).toFixed"),
    ],
    "tests/viewer/test_measure_browser.py::test_a_flipped_and_turned_film_keeps_its_boxes_under_the_pointer": [
        ("the pointer reads the film turned the wrong way", f"{JS}/view.js", "[a * dx + c * dy, b * dx + d * dy]", "[a * dx + b * dy, c * dx + d * dy]"),
        ("another film stays flipped", f"{JS}/stage.js", "this.view.upright();", ""),
    ],
    "tests/viewer/test_measure_browser.py::test_who_reads_is_not_shown_the_heat_map": [
        ("a reader is shown the heat map", f"{JS}/stage.js", 'study.open(study.index) ? study.get("heat_opacity") : 0', 'study.get("heat_opacity")'),
    ],
    "tests/viewer/test_measure_browser.py::test_other_films_of_the_patient_come_beside_linked": [
        ("a patient's films are in the order of the list", f"{JS}/beside.js", "const ordered = !visits.has(-1)", "const ordered = visits.has(-1)"),
    ],
    "tests/data/test_dicom.py::test_how_large_a_film_is": [
        ("mm down and across are exchanged", "chestlib/data/dicom.py", "down, across = _numbers", "across, down = _numbers"),
    ],
}  # fmt: skip

FILMS: Group = {
    "tests/viewer/test_viewer.py::test_boxes_and_options_that_cannot_be": [
        ("background is drawn as a finding", "chestlib/viewer/study.py", "if not 1 <= label <= count", "if not 0 <= label <= count"),
    ],
    "tests/viewer/test_viewer.py::test_tags_and_a_view_go_there_and_back": [
        ("tags of another version are read", "chestlib/viewer/films.py", 'if found.get("version") != VERSION:', 'if False:'),
        ("a page holds the tags of films it does not hold", "chestlib/viewer/static.py", "if name in here}", "if name}"),
    ],
    "tests/viewer/test_films_browser.py::test_films_are_tagged_filtered_kept_and_exported": [
        ("the list forgets the tag chosen", f"{JS}/list.js", "if (tag && !study", "if (!tag && !study"),
    ],
    "tests/viewer/test_films_browser.py::test_a_link_brings_the_view_back": [
        ("a view's place is exchanged", f"{JS}/restore.js", "view.place([x, y, x, y, 0])", "view.place([y, x, y, x, 0])"),
        ("a view forgets that it was flipped", f"{JS}/restore.js", "if (flipped) viewer.view.flip();", ""),
        ("a view forgets the heat map", f"{JS}/restore.js", 'if (study.heat) names.push("heat_opacity");', ""),
    ],
    "tests/viewer/test_films_browser.py::test_a_view_that_is_broken_or_not_for_here_is_one_line": [
        ("a broken view is shown", f"{JS}/restore.js", "if (name) return `${part}.${name}`;", ""),
    ],
}  # fmt: skip

COMMAND_LINE: Group = {
    "tests/test_cli.py": [
        ("a missing extra is a traceback", "chestlib/console.py", "if not (told := missing(error)):", "if True:"),
        ("an empty argument is the working folder", "chestlib/cli/__init__.py", "if not word or (", "if word and ("),
        ("a network predicts by Lightning alone", "chestlib/train/module.py", "except ModuleNotFoundError:", "except OSError:"),
    ],
    "tests/data/test_fetch.py": [
        ("Kaggle's mount is not seen", "chestlib/data/fetch.py", "if place.is_dir()), None)", "if place.is_file()), None)"),
    ],
    "tests/metrics/test_export.py": [
        ("results name places, not the truth's ids", EXPORT, "{record.file_name: record.id for record in truth}",
         "{record.file_name: i for i, record in enumerate(truth, start=1)}"),
        ("results have corners, not sides", EXPORT, "(x1, y1, x2 - x1, y2 - y1)", "(x1, y1, x2, y2)"),
        ("results have our category ids", EXPORT, "category = categories[name.casefold()]", "category = int(label)"),
        ("results are rounded", EXPORT, "Decimal(str(value))", "Decimal(str(round(float(value), 2)))"),
    ],
    "tests/test_cli_options.py": [
        ("--findings is ignored", "chestlib/cli/options.py", "if findings else None", "if False else None"),
        ("check ends with 0 in spite of errors", CLI_DATA, "if not report.ok:", "if False:"),
        ("a failed report ends with 0", CLI_USING, "if result.failed:", "if False:"),
        ("predict ends with 0 in spite of errors", CLI_USING, "if done.errors:", "if False:"),
        ("--bootstrap is ignored", CLI_SCORING, "calibration=calibration, bootstrap=bootstrap)", "calibration=calibration, bootstrap=0)"),
        ("compare ignores --bootstrap", CLI_SCORING, "compared(truth, a, b, bootstrap,", "compared(truth, a, b, 2000,"),
        ("phantom ignores --seed", CLI_DATA, "size=size, seed=seed,", "size=size, seed=0,"),
        ("train ignores --seed", CLI_TRAINING, "getattr(plan, stage.value), seed=seed)", "getattr(plan, stage.value))"),
        ("tune ignores --seed", CLI_TRAINING, "replace(chosen.classifier, seed=seed)", "chosen.classifier"),
        ("--cascade is ignored", CLI_USING, "predictor(classifier, detector, cascade, flip)", "predictor(classifier, detector, False, flip)"),
        ("predict ignores --flip", CLI_USING, "predictor(classifier, detector, cascade, flip)", "predictor(classifier, detector, cascade)"),
        ("--split-of is ignored", CLI_TRAINING, "    if split_of:", "    if False:"),
        ("--overlays is ignored", CLI_USING, "overlays=overlays,", "overlays=False,"),
        ("--resume is ignored", CLI_TRAINING, '"resume": resume,', '"resume": False,'),
    ],
}  # fmt: skip

SEEDS: Group = {
    "tests/data/test_splits.py::test_deterministic_and_seeded": [
        ("another seed draws the same val part", SPLITS, "default_rng(seed).shuffle", "default_rng(0).shuffle"),
    ],
    "tests/train/test_parts.py::test_the_seed_of_a_training_draws_its_validation_part": [
        ("a training's seed does not reach its split", WORKFLOW, "data.test, settings.seed)", "data.test)"),
    ],
    "tests/train/test_numbers.py::test_another_seed_begins_with_other_weights": [
        ("another seed begins with the same weights", MODULE, "numbers_of(seed, -1)", "numbers_of(0, -1)"),
    ],
    "tests/train/test_numbers.py::test_another_seed_shows_other_images_first_and_augments_them_in_another_way": [
        ("another seed trains in the same order", TRAINER, "default_rng([self.seed, self.epoch()])", "default_rng([0, self.epoch()])"),
    ],
    "tests/phantom/test_phantom.py::test_another_seed_draws_other_films_of_other_patients": [
        ("another seed draws the same phantom", WRITING, "Visit((seed, 1 + patient)", "Visit((0, 1 + patient)"),
        ("another seed draws the same patients", WRITING, "default_rng([seed, 0])", "default_rng([0, 0])"),
    ],
}  # fmt: skip

COURSE: Group = {
    "tests/course/test_quiz.py": [
        ("a tolerance may be negative", KINDS, "if tolerance < 0:", "if tolerance < -1:"),
        ("options that differ in blanks are two", KINDS, 'plain = [" ".join(text.split()).casefold() for text in texts]', "plain = list(values)"),
        ("an order is shown in the right one", KINDS, "return mixed if mixed != list(texts)", "return list(texts) if mixed != list(texts)"),
        ("a prediction brings its answer along", CARDS, 'hidden = {"right": None,', 'hidden = {"right": 0,'),
        ("what is asked is markup where no script runs", CARDS, "html.escape(text)", "text"),
    ],
    "tests/course/test_quiz_browser.py::test_every_question_of_the_chapters_takes_its_answer_and_no_other": [
        ("a tolerance is not used", f"{QUIZ_JS}/judge.js", "<= tolerance + 1e-9", "<= 0 * tolerance + 1e-9"),
    ],
    "tests/course/test_quiz_browser.py::test_four_kinds_answer_at_once_with_the_reason": [
        ("the second try counts as the first", f"{QUIZ_JS}/quiz.js", ' && !answer.tries.length).length', ").length"),
    ],
    "tests/course/test_quiz_browser.py::test_a_page_keeps_what_was_answered_until_it_is_begun_again": [
        ("a page forgets", f"{QUIZ_JS}/store.js", "    localStorage.setItem(KEPT + key, text);\n", ""),
    ],
    "tests/course/test_quiz_browser.py::test_a_page_without_a_sound_memory_begins_anew": [
        ("what was kept fits any question", f"{QUIZ_JS}/store.js", "&& tries.every(fits) &&", "&&"),
    ],
    "tests/course/test_recorded.py::test_a_recorded_figure_is_never_checked_against_itself": [
        ("a recorded figure is checked against itself", LESSON, "        if self._shown:\n", "        if False:\n"),
    ],
    "tests/course/test_recorded.py::test_whoever_checks_trains": [
        ("who checks is shown what was recorded", RECORDED, "return said in NO", "return True"),
    ],
    "tests/course/test_recorded.py::test_an_archive_of_something_else_is_told_and_left_alone": [
        ("a recorded run of anything is shown", RECORDED, "if differing := differences(about, _described(lesson)):",
         "if (differing := differences(about, _described(lesson))) == 0:"),
    ],
    "tests/course/test_live.py": [
        ("notebooks that are there are written over", LIVE, "if there and not replace:", "if False:"),
        ("folded answers stay", LIVE, '(</details>|$)", "", text', '(</details>|$)", "**Question.**", text'),
    ],
    "tests/viewer/test_hosts_browser.py::test_the_viewer_works": [
        ("keys are looked for outside a shadow root", f"{JS}/viewer.js", "const [target] = event.composedPath();", "const { target } = event;"),
    ],
    "tests/course/test_lesson.py": [
        ("the course ignores what was tuned", LESSON, "chosen = run.tuned(chosen,", "run.tuned(chosen,"),
        ("too little data has no phantom beside it", LESSON, "Course(theirs, phantom(chosen), chosen,", "Course(theirs, theirs, chosen,"),
    ],
    "tests/course/test_expected.py": [
        ("expected figures are not compared", EXPECTED, "if not abs(value - recorded) <= allowed + 1e-4:", "if False:"),
        ("a figure may be too good", EXPECTED, "if not abs(value - recorded) <=", "if not recorded - value <="),
        ("NaN is a figure", EXPECTED, "if math.isfinite(found := float(value)):", "if isinstance(found := float(value), float):"),
        ("expected figures are told, not held", LESSON, 'return self.profile.name == "quick" and', "return False and"),
        ("a tolerance is three times as wide", EXPECTED, "math.sqrt(2) * spread(values))", "3 * math.sqrt(2) * spread(values))"),
        ("a tolerance is a third as wide", EXPECTED, "math.sqrt(2) * spread(values))", "math.sqrt(2) * spread(values) / 3)"),
    ],
    "tests/data/test_folder.py::test_one_part_is_drawn_by_patient": [
        ("data of one part are drawn by film", FOLDER, "splits.draw(data.train, DRAWN_TEST_SHARE, seed=0)",
         "data.train[::5], [r for i, r in enumerate(data.train) if i % 5]"),
    ],
    "tests/data/test_splits.py::test_official_keeps_the_parts_and_draws_patients": [
        ("val is drawn by film", SPLITS, "enumerate(patient_groups(records))", "enumerate(r.file_name for r in records)"),
    ],
}  # fmt: skip

PAGES: Group = {
    "tests/report/test_report.py::test_every_headline_figure_is_the_one_that_it_is_called": [
        ("recall shows specificity", FACTS, '"scores.recall", ', '"scores.specificity", '),
        ("specificity has recall's interval", FACTS, '"intervals.specificity"', '"intervals.recall"'),
        ("AP50 shows AP", FACTS, '"scores.coco.AP50", ', '"scores.coco.AP", '),
    ],
    "tests/report/test_report.py::test_a_page_is_never_of_an_older_state": [
        ("a finished report is taken up", REPORT, "finished(copies).touch()", "pass"),
        ("copies of changed notebooks are taken", EXECUTE, 'earlier.get("key") == key and', ""),
        ("another package takes the old copies", EXECUTE, "digest.update(file.read_bytes())", "pass"),
    ],
    "tests/report/test_pages.py": [
        ("a letter after a chapter's number is lost", CHAPTER, "int(named[1]), named[2])", 'int(named[1]), "")'),
        ("links across pages stay on one", REPORT_PAGES, 'f"#{id}" if file == here else', 'f"#{id}" if True else'),
        ("a missing section is linked to", REPORT_PAGES, "if owner and id not in owner.ids:", "if False:"),
        ("old pages of chapters stay", REPORT_PAGES, "                old.unlink()", "                pass"),
        ("a figure's own words are dropped", CHAPTER, 'str(about.get("alt") or alt)', "alt"),
    ],
    "tests/report/test_pages_browser.py::test_contents_mark_what_fills_the_window": [
        ("the contents mark what a quarter has passed", "chestlib/report/report.js", "const here = led ?? read();",
         "const here = places.findLast((p) => p.getBoundingClientRect().top < innerHeight * 0.25);"),
    ],
    "tests/report/test_pages_browser.py::test_an_address_of_another_report_still_leads": [
        ("an address of a single page ends at the front page", "chestlib/report/report.js", "if (!place) turnTo(chapter);", ""),
    ],
    "tests/report/test_pages_browser.py::test_paper_has_answers_and_no_tools": [
        ("answers stay folded on paper", "chestlib/report/report.js", "for (const block of folded) block.open = true;", ""),
    ],
    "tests/report/test_pages_browser.py::test_search_finds_and_leads_to_folded_words_in_all_chapters": [
        ("another page is not told what was searched", "chestlib/report/search.js",
         "?find=${encodeURIComponent(query)}", ""),
    ],
    "tests/prediction/test_prediction.py::test_a_picture_has_the_boxes_that_reach_their_thresholds_in_place": [
        ("overlays have no boxes", OVERLAYS, "drawn(said.file, boxes,", "drawn(said.file, [],"),
        ("overlays have all boxes", OVERLAYS, ".for_display(thresholds)", ""),
    ],
    "tests/figures/test_gradcam.py::test_what_speaks_against_disease_is_not_counted": [
        ("Grad-CAM counts what speaks against disease", GRADCAM, "torch.relu((weights * kept[0]).sum(1, keepdim=True))",
         "(weights * kept[0]).sum(1, keepdim=True).abs()"),
        ("Grad-CAM leaves out channels against disease", GRADCAM, "torch.relu((weights *", "torch.relu((torch.relu(weights) *"),
    ],
}  # fmt: skip

LEARNING: Group = {
    "tests/train/test_learning.py": [
        ("the learning rate is 0", MODULE, "lr=settings.learning_rate,", "lr=0.0,"),
        ("stage 1's loss teaches nothing", CLASSIFIER, "loss = self.checked(self.loss(self(image)", "loss = 0 * self.checked(self.loss(self(image)"),
        ("a Sigmoid before BCEWithLogits", CLASSIFIER, "self.checked(self.loss(self(image).float(),",
         "self.checked(self.loss(self(image).float().sigmoid(),"),
        ("stage 1 learns who is healthy", CLASSIFIER, "self.checked(self.loss(self(image).float(), diseased.float())",
         "self.checked(self.loss(self(image).float(), 1 - diseased.float())"),
        ("stage 1 forgets the last layer's maximum", CLASSIFIER, "features.mean((2, 3)), features.amax((2, 3))",
         "features.mean((2, 3)), 0 * features.amax((2, 3))"),
        ("the trunk is frozen", DETECTOR, "part.requires_grad_(settings.frozen == 0 or", "part.requires_grad_(settings.frozen > 0 and"),
        ("stage 2 forgets the region proposals' losses", DETECTOR, "loss = self.checked(sum(losses.values()), names)",
         "loss = self.checked(losses['loss_classifier'] + losses['loss_box_reg'], names)"),
        ("stage 2 forgets the boxes' losses", DETECTOR, "loss = self.checked(sum(losses.values()), names)",
         "loss = self.checked(losses['loss_classifier'] + losses['loss_objectness'], names)"),
        ("stage 2 forgets to name findings", DETECTOR, "loss = self.checked(sum(losses.values()), names)",
         "loss = self.checked(sum(losses.values()) - losses['loss_classifier'], names)"),
        ("validation moves the norms' statistics", DETECTOR, "                module.eval()\n", "                pass\n"),
        ("the NMS limit is 1", DETECTOR, "box_nms_thresh=settings.nms_iou", "box_nms_thresh=1.0"),
        ("the score floor is ignored", DETECTOR, "box_score_thresh=settings.score_floor", "box_score_thresh=0.0"),
        ("labels start at 0", DATASETS, '"labels": torch.from_numpy(record.labels),', '"labels": torch.from_numpy(record.labels) - 1,'),
        ("validation's AP50 is AP", DETECTOR, "scores[name] or 0.0", 'scores["AP"] or 0.0'),
        ("validation judges other labels", DETECTOR, 'target["boxes"].cpu().numpy(), target["labels"].cpu().numpy()',
         'target["boxes"].cpu().numpy(), target["labels"].cpu().numpy() * 0 + 1'),
        ("one box an image", DETECTOR, "box_detections_per_img=settings.max_detections", "box_detections_per_img=1"),
        ("batches are twice as large", TRAINER, '"batch_size": settings.batch_size,', '"batch_size": 2 * settings.batch_size,'),
        ("all labels are one", DATASETS, '"labels": torch.from_numpy(record.labels),', '"labels": torch.from_numpy(record.labels).clamp(max=1),'),
    ],
    "tests/train/test_recipe.py": [
        ("anchors are of the film's pixels", DETECTOR, "share * settings.image_size for share in level", "share * 1024 for share in level"),
        ("anchors forget the image's size", DETECTOR, "side = image_size or settings.image_size", "side = image_size or 1024"),
        ("anchors lie on their side", DETECTOR, "(share * side / ratio**0.5, share * side * ratio**0.5)",
         "(share * side * ratio**0.5, share * side / ratio**0.5)"),
        ("anchors are squares", DETECTOR, "(settings.anchor_ratios,) * len(sizes)", "((1.0,) * len(settings.anchor_ratios),) * len(sizes)"),
        ("the network enlarges images again", DETECTOR, "        min_size=settings.image_size,\n        max_size=settings.image_size,\n",
         "        min_size=2 * settings.image_size,\n        max_size=2 * settings.image_size,\n"),
        ("one region an image is learned from", DETECTOR, "box_batch_size_per_image=settings.regions", "box_batch_size_per_image=1"),
        ("one proposal is kept", DETECTOR, "rpn_post_nms_top_n_test=min(settings.proposals, JUDGED)", "rpn_post_nms_top_n_test=1"),
        ("learning has few proposals", DETECTOR, "rpn_post_nms_top_n_train=settings.proposals", "rpn_post_nms_top_n_train=5"),
        ("the NMS limit of proposals is 1", DETECTOR, "        box_batch_size_per_image=", "        rpn_nms_thresh=1.0, box_batch_size_per_image="),
        ("proposals learn from perfect anchors alone", DETECTOR, "        box_batch_size_per_image=", "        rpn_fg_iou_thresh=0.99, box_batch_size_per_image="),
        ("to proposals all is a box", DETECTOR, "        box_batch_size_per_image=", "        rpn_fg_iou_thresh=0.0, rpn_bg_iou_thresh=0.0, box_batch_size_per_image="),
        ("regions are taught background", DETECTOR, "        box_batch_size_per_image=", "        box_fg_iou_thresh=0.95, box_bg_iou_thresh=0.95, box_batch_size_per_image="),
        ("to regions all is a finding", DETECTOR, "        box_batch_size_per_image=", "        box_fg_iou_thresh=0.0, box_bg_iou_thresh=0.0, box_batch_size_per_image="),
        ("images are not normalised", DETECTOR, "else IMAGENET_MEAN,", "else (0.0, 0.0, 0.0),"),
        ("images are normalised as bytes", DETECTOR, "else IMAGENET_STD,", "else (58.4, 57.1, 57.4),"),
        ("scores go through two Sigmoids", HEADS, "logits.sigmoid().split(counts)", "logits.sigmoid().sigmoid().split(counts)"),
        ("norms of random weights do not learn", DETECTOR, "norm = nn.BatchNorm2d if own", "norm = FrozenBatchNorm if own"),
        ("boxes are computed in bfloat16", DETECTOR, "for head in (model.rpn.head, model.roi_heads.box_predictor):", "for head in ():"),
        ("the floor is ignored in validation", CLASSIFIER, "self.floor = settings.specificity_floor", "self.floor = 0.0"),
        ("dropout is not the settings'", CLASSIFIER, "SimpleCNN(settings.width, settings.depth, settings.dropout)",
         "SimpleCNN(settings.width, settings.depth)"),
        ("dropout is what should stay", CLASSIFIER, "nn.Dropout(dropout)", "nn.Dropout(1 - dropout)"),
        ("width is not the settings'", CLASSIFIER, "SimpleCNN(settings.width, settings.depth, settings.dropout)",
         "SimpleCNN(16, settings.depth, settings.dropout)"),
        ("pos_weight is upside down", CLASSIFIER, "return (len(records) - diseased) / max(1, diseased)", "return diseased / max(1, len(records) - diseased)"),
        ("pos_weight is not used", WORKFLOW, "Classifier(settings, classifier.pos_weight(split.train))", "Classifier(settings)"),
    ],
    "tests/train/test_roi_heads.py": [
        ("independent heads: labels from 0", HEADS, 'functional.one_hot(target["labels"] - 1, findings)', 'functional.one_hot(target["labels"] % findings, findings)'),
        ("independent heads: one finding a place", HEADS, ".clamp(max=1)", ".clamp(max=1).cumsum(1).eq(1).float()"),
        ("independent heads: what is unknown is absent", HEADS, 'target.get("known", truth.new_ones(findings + 1))', "truth.new_ones(findings + 1)"),
        ("independent heads: boxes teach nothing", HEADS, "on = labels > 0", "on = labels < 0"),
        ("independent heads: no suppression", HEADS, "labels[keep], self.nms_thresh)", "labels[keep], 1.0)"),
        ("independent heads: the common finding takes all", HEADS, "keep = keep[rank <= max(1, self.detections_per_img // findings)]", "keep = keep[: self.detections_per_img]"),
        ("independent heads: labels are columns", HEADS, "scores[region, finding], finding + 1", "scores[region, finding], finding"),
    ],
    "tests/train/test_partial.py": [
        ("partial labels: no film has a background", PARTIAL, 'if "known" in target else label\n', "if True else label\n"),
        ("partial labels: anchors beside boxes are background", PARTIAL, "label.masked_fill(label == 0, IGNORED)", "label"),
        ("partial labels: what nobody looked for is taught", PARTIAL, "logits.masked_fill(~known, -torch.inf)", "logits"),
        ("partial labels: films exchange what is known", PARTIAL, 'target.get("known", all_known).expand', "all_known.expand"),
    ],
}  # fmt: skip

SHOWING: Group = {
    "tests/train/test_recipe.py": [
        ("boxes stay when the image moves", DATASETS, "image, target = self.transform(image, target)", "image, target = self.transform(image, target)[0], target"),
        ("boxes stay when the image is flipped", DATASETS, "    if boxes:\n        steps.append(", "    if boxes:\n        steps[0] = v2.Lambda(lambda x: x.flip(-1) if torch.rand(()) < 0.5 else x, tv_tensors.Image)\n        steps.append("),
        ("films stand on their heads", DATASETS, "v2.RandomHorizontalFlip(0.5)", "v2.RandomVerticalFlip(0.5)"),
        ("films are never flipped", DATASETS, "v2.RandomHorizontalFlip(0.5)", "v2.RandomHorizontalFlip(0.0)"),
        ("films are always flipped", DATASETS, "v2.RandomHorizontalFlip(0.5)", "v2.RandomHorizontalFlip(1.0)"),
        ("augmentation is always full", DATASETS, "self.transform = augmentation(augment, size, boxes)", "self.transform = augmentation(float(augment > 0), size, boxes)"),
        ("augmentation is hardly any", DATASETS, "self.transform = augmentation(augment, size, boxes)", "self.transform = augmentation(augment / 10, size, boxes)"),
        ("films do not move", DATASETS, "translate=(0.08 * strength, 0.08 * strength),", "translate=(0.0, 0.0),"),
        ("films are not scaled", DATASETS, "scale=(1 - 0.15 * strength, 1 + 0.15 * strength),", "scale=(1.0, 1.0),"),
        ("stage 1 sees no part of a film", DATASETS, "scale, ratio = (1 - 0.3 * strength, 1)", "scale, ratio = (1, 1)"),
        ("small boxes are dropped", DATASETS, "v2.SanitizeBoundingBoxes(min_size=2)", "v2.SanitizeBoundingBoxes(min_size=8)"),
        ("films turn black or white", DATASETS, "v2.ColorJitter(brightness=0.3 * strength", "v2.ColorJitter(brightness=3 * strength"),
        ("films keep their brightness", DATASETS, "jitter = v2.ColorJitter(brightness=0.3 * strength, contrast=0.4 * strength)", "jitter = v2.Identity()"),
        ("one augmentation seed for all", DATASETS, "manual_seed(key[1])", "manual_seed(0)"),
        ("one augmentation seed an epoch", TRAINER, "rng.integers(2**31, size=len(order))", "rng.integers(2**31, size=1).repeat(len(order))"),
        ("the augmentation seed is the film's number", TRAINER, "rng.integers(2**31, size=len(order))", "order"),
        ("augmentation has no seed", DATASETS, "            torch.default_generator.manual_seed(key[1])\n", ""),
    ],
    "tests/train/test_learning.py": [
        ("repeat factors are ignored", TRAINER, "np.ones(len(train)) if factors is None else factors", "np.ones(len(train))"),
        ("repeat factors are not asked for", WORKFLOW, "if settings.repeat_threshold else None", "if not settings.repeat_threshold else None"),
        ("repeat factors are squared", DATASETS, "(threshold * len(records) / n) ** 0.5", "(threshold * len(records) / n)"),
        ("common findings are repeated", DATASETS, "(threshold * len(records) / n) ** 0.5", "(n / len(records) / threshold) ** 0.5"),
        ("the same order each epoch", TRAINER, "np.random.default_rng([self.seed, self.epoch()])", "np.random.default_rng([self.seed, 0])"),
        ("films are shown in order", TRAINER, "order = rng.permutation(np.repeat(", "order = (np.repeat("),
        ("each epoch draws the same regions", MODULE, "numbers_of(self.settings.seed, self.current_epoch)", "numbers_of(self.settings.seed, 0)"),
        ("the rate is constant", MODULE, "lambda step: warmup_cosine(step, total, settings.warmup)", "lambda step: 1.0"),
        ("the rate changes an epoch", MODULE, '"interval": "step"', '"interval": "epoch"'),
        ("the warm-up never ends", MODULE, "lambda step: warmup_cosine(step, total, settings.warmup)", "lambda step: warmup_cosine(step, total, 1.0)"),
        ("the rate falls too late", MODULE, "total = int(self.trainer.estimated_stepping_batches)", "total = 2 * int(self.trainer.estimated_stepping_batches)"),
    ],
    "tests/train/test_module.py::test_the_rate_rises_in_a_line_and_falls_as_a_cosine": [
        ("the rate falls in a line", MODULE, "0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))", "1 - min(1.0, (step - rise) / max(1, total - rise))"),
    ],
}  # fmt: skip

RECIPE: Group = {
    "tests/train/test_module.py::test_norms_and_biases_are_not_decayed": [
        ("norms are decayed", MODULE, '"weight_decay": 0.0}', '"weight_decay": settings.weight_decay}'),
        ("nothing is decayed", MODULE, '"weight_decay": settings.weight_decay}', '"weight_decay": 0.0}'),
        ("norms alone are decayed", MODULE, "if p.requires_grad and p.ndim > 1]", "if p.requires_grad and p.ndim == 1]"),
        ("biases do not learn", MODULE, "if p.requires_grad and p.ndim <= 1]", "if p.requires_grad and p.ndim < 1]"),
    ],
    "tests/train/test_learning.py": [
        ("gradients are not clipped", MODULE, "        if gradient_clip_val:\n", "        if False:\n"),
        ("clipping is not asked for", TRAINER, "gradient_clip_val=settings.clip or None", "gradient_clip_val=None"),
        ("clipping is ten times as strong", TRAINER, "gradient_clip_val=settings.clip or None", "gradient_clip_val=settings.clip / 10 or None"),
        ("no weights are averaged", TRAINER, "    if settings.ema:\n", "    if False:\n"),
        ("the average stays at the first weights", TRAINER, "EMAWeightAveraging(decay=settings.ema)", "EMAWeightAveraging(decay=1.0)"),
        ("the average forgets too fast", TRAINER, "EMAWeightAveraging(decay=settings.ema)", "EMAWeightAveraging(decay=1 - settings.ema)"),
        ("validation comes each epoch", TRAINER, "check_val_every_n_epoch=max(n for n in range(1, settings.validate_every + 1) if settings.epochs % n == 0)", "check_val_every_n_epoch=1"),
        ("validation comes at the end", TRAINER, "check_val_every_n_epoch=max(n for n in range(1, settings.validate_every + 1) if settings.epochs % n == 0)", "check_val_every_n_epoch=settings.epochs"),
    ],
    "tests/train/test_recipe.py": [
        ("patience is off by one", TRAINER, "patience=settings.patience", "patience=settings.patience + 1"),
        ("the last weights are asked, not the best", WORKFLOW, "    load_weights(module, run.best)\n", ""),
        ("patience is never used", TRAINER, "EarlyStopping(monitor, mode=mode, patience=settings.patience,", "EarlyStopping(monitor, mode=mode, patience=1000,"),
        ("patience counts epochs without validation", TRAINER, "check_on_train_epoch_end=False)", "check_on_train_epoch_end=True)"),
        ("trials are never pruned", STUDY, "        if done < (trainer.max_epochs or 0) and self.trial.should_prune():\n", "        if False:\n"),
        ("trials report nothing", STUDY, "        self.trial.report(float(trainer.callback_metrics[classifier.MONITOR]), done)\n", ""),
        ("a study looks for the worst", STUDY, 'direction="maximize"', 'direction="minimize"'),
    ],
    "tests/train/test_operating.py": [
        ("the threshold's aim has no margin", OPERATING, "metrics.threshold_at_floor(truth, probability, aim)", "metrics.threshold_at_floor(truth, probability, floor)"),
        ("the margin is on the wrong side", OPERATING, "min(floor + error,", "min(floor - error,"),
        ("recall alone has room", OPERATING, "np.minimum((fitted - floor) / error, (", "np.maximum(-1e9, ("),
    ],
    "tests/train/test_resume.py::test_the_best_checkpoint_is_the_averaged_weights_and_nothing_else": [
        ("the worst epoch is kept", TRAINER, 'mode = "min" if monitor.endswith("loss") else "max"', 'mode = "max" if monitor.endswith("loss") else "min"'),
        ("the last epoch is kept", TRAINER, "yield Best(folder, run.best.stem, monitor=monitor, mode=mode, **always)", "yield Best(folder, run.best.stem, **always)"),
    ],
}  # fmt: skip

FUSION: Group = {
    "tests/metrics/test_fusion.py": [
        ("who is silent has no say in a fused score", FUSED, "np.maximum(counts, len(sets))", "counts"),
        ("a fused box is the mean of its boxes, whatever their scores", FUSED, "* score / weights[at]", "/ counts[at]"),
    ],
    "tests/train/test_together.py": [
        ("fused answers are called by the first run's thresholds", TOGETHER, "said_together(runs, \"val\", flip))",
         "said_together(runs[:1], \"val\"))"),
        ("runs of different parts are fused", TOGETHER, 'for run in runs[1:]:', "for run in ():"),
    ],
}  # fmt: skip

FAMILIES: dict[int, Group] = {
    1: PREDICTION, 2: LEAKS, 3: LEARNING, 4: OLD_RUNS, 5: NOT_SQUARE, 6: SHOWING, 7: BOOTSTRAP, 8: CANVAS | READING | MEASURING | FILMS,
    9: COMMAND_LINE, 10: SEEDS, 11: RECIPE, 12: COURSE, 13: PAGES, 14: FUSION,
}  # fmt: skip


def _mutants() -> Iterator[Mutant]:
    for family, groups in FAMILIES.items():
        for tests, rows in groups.items():
            for row in rows:
                yield Mutant(family, *row, tests)


MUTANTS = list(_mutants())
