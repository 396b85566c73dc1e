//! A store of objects that speaks S3: a real `SeaweedFS`, on loopback ports of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, Output, Service};
use crate::{Failure, Result, ports, programs};

/// Who may do everything there.
const KEY: &str = "hallpasskey";
const SECRET: &str = "hallpasssecret";

/// How long it may take to serve.
const START: Duration = Duration::from_secs(60);

/// A store of objects, which ends when it is dropped.
pub struct S3 {
    dir: PathBuf,
    ports: Vec<u16>,
    service: Option<Service>,
}

impl S3 {
    /// A store that keeps everything in `dir`, serving.
    pub fn start(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let ports = (0..8).map(|_| ports::free()).collect::<Result<_>>()?;
        let mut store = Self {
            dir: dir.to_owned(),
            ports,
            service: None,
        };
        store.serve()?;
        Ok(store)
    }

    /// Ends it with `kill -9`: who calls it now is refused.
    pub fn kill(&mut self) {
        self.service = None;
    }

    /// Starts it again, with what it had.
    pub fn serve(&mut self) -> Result<()> {
        let [
            master,
            master_rpc,
            volume,
            volume_rpc,
            filer,
            filer_rpc,
            s3,
            s3_rpc,
        ] = self.ports.as_slice()
        else {
            return Err(Failure::new("eight ports"));
        };
        let config = self.dir.join("s3.json");
        let identities = format!(
            r#"{{"identities":[{{"name":"hallpass","credentials":[{{"accessKey":"{KEY}","secretKey":"{SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        fs::write(&config, identities)?;
        let mut weed = programs::seaweedfs()?;
        weed.arg("server")
            .arg(format!("-dir={}", self.dir.display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20"])
            .arg("-master.volumeSizeLimitMB=64")
            .arg(format!("-s3.config={}", config.display()));
        for (name, port) in [
            ("master.port", master),
            ("master.port.grpc", master_rpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_rpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_rpc),
            ("s3.port", s3),
            ("s3.port.grpc", s3_rpc),
        ] {
            weed.arg(format!("-{name}={port}"));
        }
        let mut service = Service::start("weed", &mut weed, &self.dir.join("weed.log"))?;
        service.wait_port(*s3, START)?;
        self.service = Some(service);
        // It listens before it knows its own parts.
        let end = Instant::now() + START;
        while self.curl(&[], "")?.out() != "200" {
            if Instant::now() > end {
                return Err(Failure::new("the store of objects does not serve"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        let port = self.ports.get(6).copied().unwrap_or_default();
        format!("http://127.0.0.1:{port}")
    }

    /// A file of credentials in the form of S3's own tools.
    pub fn credentials(&self) -> Result<PathBuf> {
        let path = self.dir.join("credentials");
        let text =
            format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Makes a bucket, whose objects can be locked if so wanted.
    pub fn bucket(&self, name: &str, locks: bool) -> Result<()> {
        let lock = ["-H", "x-amz-bucket-object-lock-enabled: true"];
        let args = if locks { &lock[..] } else { &[] };
        let made = self.curl(&[&["-X", "PUT"], args].concat(), name)?;
        match made.out().as_str() {
            "200" => Ok(()),
            _ => Err(Failure::new(format!("no bucket: {made}"))),
        }
    }

    /// The status of a request by stock `curl`, which signs it. What is answered goes to `/dev/null`, or where `-o` in `args` says.
    pub fn curl(&self, args: &[&str], path: &str) -> Result<Output> {
        let mut curl = Command::new(programs::find("curl")?);
        // Each `-o` is for a URL of its own.
        if !args.contains(&"-o") {
            curl.args(["-o", "/dev/null"]);
        }
        curl.args(["-sS", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u"])
            .arg(format!("{KEY}:{SECRET}"))
            .args(["-w", "%{http_code}"])
            .args(args)
            .arg(format!("{}/{path}", self.endpoint()));
        process::run(&mut curl)
    }

    /// The environment by which S3's own tools find it.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }
}
