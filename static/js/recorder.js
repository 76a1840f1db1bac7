// Records from the microphone into the form's file field; nothing leaves the page before it is sent.
const MOST_SECONDS = 3600;

export function attachRecorders(scope) {
  if (!navigator.mediaDevices || !window.MediaRecorder) return;
  for (const box of scope.querySelectorAll("[data-recorder][hidden]")) attach(box);
}

function attach(box) {
  const part = (name) => box.querySelector(`[data-record${name}]`);
  const input = document.getElementById(box.dataset.recorder);
  const [button, words, time] = [part(""), part("-words"), part("-time")];
  const [level, status, player] = [part("-level"), part("-status"), part("-player")];
  let running = null;
  let seconds = 0; // what is recorded states no length of its own
  box.hidden = false;

  const say = (what) => { status.textContent = status.dataset[what]; };

  async function start() {
    say("asking");
    try {
      running = await recording(tick);
    } catch {
      say("denied");
      return;
    }
    words.textContent = words.dataset.stop;
    say("running");
  }

  async function stop() {
    const file = await running.stop();
    running = null;
    words.textContent = words.dataset.start;
    level.value = 0;
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dataset.recorded = seconds;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    player.src = URL.createObjectURL(file);
    player.hidden = false;
    say("done");
  }

  function tick(now, loudness) {
    seconds = now;
    time.textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    level.value = loudness;
    if (seconds >= MOST_SECONDS && running) stop();
  }

  input.addEventListener("change", ({ isTrusted }) => isTrusted && delete input.dataset.recorded);
  button.addEventListener("click", () => (running ? stop() : start()));
}

async function recording(tick) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  recorder.start(1000);
  const ended = meter(stream, tick);
  return {
    stop: () => new Promise((resolve) => {
      recorder.addEventListener("stop", () => {
        ended();
        for (const track of stream.getTracks()) track.stop();
        const type = recorder.mimeType.split(";")[0];
        resolve(new File(pieces, "recording", { type }));
      });
      recorder.stop();
    }),
  };
}

// Calls `tick` ten times a second with the time and the loudest sample since; returns its end.
function meter(stream, tick) {
  const sound = new AudioContext();
  const analyser = sound.createAnalyser();
  sound.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const began = performance.now();
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    tick((performance.now() - began) / 1000, Math.min(1, samples.reduce((top, one) => Math.max(top, Math.abs(one)), 0)));
  }, 100);
  return () => {
    clearInterval(timer);
    sound.close();
  };
}
